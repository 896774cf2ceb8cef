"""Leadership by a coordination.k8s.io Lease: of several replicas, one acts.

A leader that could not renew in time must stop before another begins, so it judges itself by its own clock
from the moment at which it requested its last renewal, and `ensure_leading` precedes every write. A holder of
the Lease is judged by how long its record has not changed, by our clock: clocks are never compared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trainingrun.kube import Api, ApiError, NotFound
from trainingrun.kube.resources import LEASES

logger = logging.getLogger(__name__)


class LeadershipLost(Exception):
    """This replica may no longer act. It must end."""


@dataclass(frozen=True)
class LeaseSettings:
    """Whose Lease, and its times in seconds.

    Others take over after `duration` without a renewal; the holder gives up after `deadline`, which is shorter.
    """

    namespace: str
    name: str
    identity: str
    duration: float = 15.0
    deadline: float = 10.0
    interval: float = 2.0


class Lease:
    """This replica's view of the Lease. `is_known` is true once it has been read: a standby is then a good standby."""

    def __init__(self, api: Api, settings: LeaseSettings, now: Callable[[], datetime]):
        self._api = api
        self._settings = settings
        self._now = now
        self._clock = asyncio.get_running_loop().time
        self._body: dict[str, Any] | None = None
        self._is_stale = True
        self._seen_at = 0.0
        self._renewed_at: float | None = None
        self.is_known = False

    @property
    def is_leading(self) -> bool:
        """Whether this replica may act at this moment."""
        return self._renewed_at is not None and self._clock() < self._renewed_at + self._settings.deadline

    def ensure_leading(self) -> None:
        """Raise if this replica may not act at this moment."""
        if not self.is_leading:
            raise LeadershipLost("the Lease was not renewed in time")

    async def acquire(self) -> None:
        """Return when this replica leads."""
        while not await self._attempt():  # noqa: ASYNC110 - what is waited for happens in the API server
            await asyncio.sleep(self._settings.interval)
        logger.info("leading", extra={"lease": self._settings.name, "identity": self._settings.identity})

    async def keep(self) -> None:
        """Renew forever. Raises when that has not succeeded for too long, or when another replica leads."""
        while True:
            await asyncio.sleep(self._settings.interval)
            is_renewed = await self._attempt()
            if not is_renewed and self._holder() != self._settings.identity:
                self._renewed_at = None
            self.ensure_leading()

    async def release(self) -> None:
        """Let another replica lead at once."""
        if not self.is_leading or self._body is None:
            return
        self._renewed_at = None
        spec = {**self._body["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            await self._api.replace(LEASES, self._settings.namespace, {**self._body, "spec": spec}, seconds=2.0)
        except ApiError as error:
            logger.warning("the Lease could not be released: %s", error)

    async def _attempt(self) -> bool:
        """Take or renew the Lease if possible. Whether this replica leads now."""
        started = self._clock()
        try:
            async with asyncio.timeout(self._settings.deadline / 2):
                if self._is_stale or self._holder() != self._settings.identity:
                    await self._read()
                if not self._is_free():
                    return False
                await self._take()
        except (ApiError, TimeoutError) as error:
            logger.warning("the Lease could not be acquired or renewed: %s", error or "no response in time")
            # What it is now must be read again: the answer may have been lost after the write.
            self._is_stale = True
            return False
        self._renewed_at = started
        return True

    async def _read(self) -> None:
        try:
            body = await self._api.get(LEASES, self._settings.namespace, self._settings.name)
        except NotFound:
            self._body, self.is_known, self._is_stale = None, True, False
            return
        if self._body is None or body.get("spec") != self._body.get("spec"):
            self._seen_at = self._clock()
        self._body, self.is_known, self._is_stale = body, True, False

    def _holder(self) -> str:
        return str(((self._body or {}).get("spec") or {}).get("holderIdentity") or "")

    def _is_free(self) -> bool:
        holder = self._holder()
        if holder in ("", self._settings.identity):
            return True
        duration = ((self._body or {}).get("spec") or {}).get("leaseDurationSeconds") or self._settings.duration
        return self._clock() >= self._seen_at + float(duration)

    async def _take(self) -> None:
        body = self._claim()
        if self._body is None:
            self._body = await self._api.create(LEASES, self._settings.namespace, body)
        else:
            self._body = await self._api.replace(LEASES, self._settings.namespace, body)
        self._seen_at = self._clock()

    def _claim(self) -> dict[str, Any]:
        time = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        before = (self._body or {}).get("spec") or {}
        is_mine = before.get("holderIdentity") == self._settings.identity
        spec = {
            "holderIdentity": self._settings.identity,
            "leaseDurationSeconds": int(self._settings.duration),
            "acquireTime": before.get("acquireTime", time) if is_mine else time,
            "renewTime": time,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (0 if is_mine or self._body is None else 1),
        }
        names = {"name": self._settings.name, "namespace": self._settings.namespace}
        metadata = (self._body or {}).get("metadata") or names
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": spec}
