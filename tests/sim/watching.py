"""Delivers changes to an operator as watches do: late, and when a test wants it, not in order, twice, or never."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from network import Network
from server import Server

from trainingrun.contract.labels import MANAGED_BY_KEY, MANAGED_BY_VALUE
from trainingrun.engine.assembly import Parts
from trainingrun.kube.resources import WATCHED

Body = dict[str, Any]
_KINDS = {resource.plural: resource.kind for resource in WATCHED}


@dataclass(frozen=True)
class Delivery:
    """How changes arrive. `spread` beyond `delay` puts them out of order; shares are from 0 to 1."""

    delay: float = 0.05
    spread: float = 0.0
    dropped: float = 0.0
    doubled: float = 0.0


class Watch:
    """The watches of one operator, until `stop`."""

    def __init__(self, server: Server, parts: Parts, delivery: Delivery, seed: int, network: Network):
        self._server = server
        self._network = network
        self._intake = parts.intake
        self._informers = parts.informers
        self._listing: asyncio.Task[int] | None = None
        self._delivery = delivery
        self._random = random.Random(seed)
        self._is_stopped = False
        self._is_broken = False
        server.listeners.append(self._hear)

    def stop(self) -> None:
        self._is_stopped = True
        self._server.listeners.remove(self._hear)

    def break_off(self) -> None:
        """Deliver nothing any more, as a connection does that nobody has closed."""
        self._is_broken = True

    def list_again(self) -> None:
        """Connect again, and list everything first."""
        self._is_broken = False
        self._listing = asyncio.create_task(self._informers.compare())

    def _hear(self, change: str, plural: str, body: Body) -> None:
        if self._is_broken or not _is_watched(plural, body):
            return
        if self._random.random() < self._delivery.dropped:
            return
        for _ in range(2 if self._random.random() < self._delivery.doubled else 1):
            late = self._delivery.delay + self._random.random() * self._delivery.spread
            asyncio.get_running_loop().call_later(late, self._deliver, change, plural, body)

    def _deliver(self, change: str, plural: str, body: Body) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._network.frozen_until:
            loop.call_at(self._network.frozen_until, self._deliver, change, plural, body)
        elif not self._is_stopped:
            self._intake.take(_KINDS[plural], change, body)


def _is_watched(plural: str, body: Body) -> bool:
    labels = body["metadata"].get("labels") or {}
    return plural in _KINDS and (plural == "trainingruns" or labels.get(MANAGED_BY_KEY) == MANAGED_BY_VALUE)
