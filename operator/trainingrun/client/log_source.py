"""Where lines come from: one source for the driver, one for each pod. Nothing is printed here."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from trainingrun.contract.labels import RAY_DATA_VALUE, RAY_HEAD_VALUE, RAY_TRAINER_VALUE

DRIVER = "driver"
GROUPS = (DRIVER, RAY_HEAD_VALUE, RAY_DATA_VALUE, RAY_TRAINER_VALUE)


class NotYet(Exception):
    """There is nothing to read yet; the message says why."""


class Unavailable(Exception):
    """It cannot be read, and a retry will not help; the message says why and what to do."""


class LogSource(Protocol):
    """Lines of one process."""

    @property
    def label(self) -> str:
        """What its lines are prefixed with."""
        ...

    @property
    def key(self) -> str:
        """What identifies it among all sources."""
        ...

    @property
    def ends_with_stream(self) -> bool:
        """Whether the end of its lines is the end of the process."""
        ...

    def lines(self, *, follow: bool, tail: int | None, seen: int = 0) -> AsyncGenerator[str]:
        """Its last `tail` lines or all, less the first `seen` as far as it can; with `follow` also those that come.

        Raises NotYet, Unavailable, or `Transient` when the connection is lost.
        """
        ...
