"""Rank 0's news to whoever drives the attempt, as often as is useful, and its request to stop."""

from __future__ import annotations

import time
from typing import Any, Protocol

_STATUS_SECONDS = 1.0


class Driver(Protocol):
    """Who drives the attempt, as rank 0 sees it. Only what must not be lost may make a step wait."""

    def is_stop_requested(self) -> bool:
        """Whether a checkpoint and an end are asked for. Answers at once."""

    def publish(self, status: dict[str, Any]) -> None:
        """Replace the status: fields of the record Progress."""

    def tell(self, kind: str, values: dict[str, Any]) -> None:
        """An event that must not be lost: fields of the record `kind`."""

    def finish(self) -> None:
        """Every epoch is trained."""


class Reporter:
    """Talks to the driver. On ranks that do not report, which have none, every method does nothing."""

    def __init__(self, driver: Driver | None):
        self._driver = driver
        self._next_status = 0.0

    @property
    def is_heard(self) -> bool:
        """Whether this rank is the one that reports."""
        return self._driver is not None

    def is_stop_requested(self) -> bool:
        """Whether the driver has asked for a checkpoint and an end."""
        return self._driver is not None and self._driver.is_stop_requested()

    def is_status_due(self, *, now: bool = False) -> bool:
        """Whether it is time for another status: `now`, or a second after the last one."""
        if self._driver is None or (not now and time.monotonic() < self._next_status):
            return False
        self._next_status = time.monotonic() + _STATUS_SECONDS
        return True

    def postpone_status(self) -> None:
        """Let the next status be due in a second."""
        self._next_status = time.monotonic() + _STATUS_SECONDS

    def publish(self, **status: Any) -> None:
        """Replace the status that the driver sees: fields of the record Progress."""
        if self._driver is not None:
            self._driver.publish(status)

    def tell(self, kind: str, **values: Any) -> None:
        """Report an event that must not be lost: fields of the record `kind`."""
        if self._driver is not None:
            self._driver.tell(kind, values)

    def finish(self) -> None:
        """Say that every epoch is trained."""
        if self._driver is not None:
            self._driver.finish()
