"""Delivers changes to an operator as watches do: late, and when a test wants it, not in order, twice, or never."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from network import Network
from server import Server

from trainingrun.contract.labels import MANAGED_BY_KEY, MANAGED_BY_VALUE
from trainingrun.engine.assembly import Parts
from trainingrun.kube.resources import RUNTIMES, WATCHED

Body = dict[str, Any]
_RIGHT_AFTER = 0.001
Change = tuple[str, str, Body]
_KINDS = {resource.plural: resource.kind for resource in (*WATCHED, *RUNTIMES)}
_OURS = ("trainingruns", *(resource.plural for resource in RUNTIMES))


@dataclass(frozen=True)
class Mishap:
    """What happens to one change instead: it is delivered after each of `times`, in seconds, or never.

    If `after` is set, it waits until so many more changes have been heard of.
    """

    times: tuple[float, ...] = ()
    after: int = 0


@dataclass(frozen=True)
class Delivery:
    """How changes arrive. `spread` beyond `delay` puts them out of order; shares are from 0 to 1.

    `mishaps` are by the number of the change, as the operator hears of them. Of the kinds in `behind`, so many changes
    are held back at any time, until `behind_until`.
    """

    delay: float = 0.05
    spread: float = 0.0
    dropped: float = 0.0
    doubled: float = 0.0
    mishaps: Mapping[int, Mishap] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)
    behind_until: float = 0.0


class Watch:
    """The watches of one operator, until `stop`. `next_number` numbers what they are told."""

    def __init__(
        self,
        server: Server,
        parts: Parts,
        delivery: Delivery,
        seed: int,
        network: Network,
        next_number: Callable[[], int],
    ):
        self._server = server
        self._network = network
        self._next_number = next_number
        self._intake = parts.intake
        self._informers = parts.informers
        self._listing: asyncio.Task[int] | None = None
        self._delivery = delivery
        self._random = random.Random(seed)
        self._is_stopped = False
        self._is_broken = False
        self._waiting: list[tuple[int, Change]] = []
        self._behind: dict[str, deque[Change]] = defaultdict(deque)
        server.listeners.append(self._hear)
        if delivery.behind:
            asyncio.get_running_loop().call_at(delivery.behind_until, self._catch_up)

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
        number = self._next_number()
        mishap = self._delivery.mishaps.get(number)
        self._let_go(number)
        if mishap is not None and mishap.after:
            self._waiting.append((number + mishap.after, (change, plural, body)))
        elif mishap is not None:
            self._send_at(mishap.times, change, plural, body)
        elif asyncio.get_running_loop().time() < self._delivery.behind_until and plural in self._delivery.behind:
            held = self._behind[plural]
            held.append((change, plural, body))
            if len(held) > self._delivery.behind[plural]:
                self._send(*held.popleft())
        else:
            self._send(change, plural, body)

    def _send(self, change: str, plural: str, body: Body) -> None:
        if self._random.random() < self._delivery.dropped:
            return
        times = [
            self._delivery.delay + self._random.random() * self._delivery.spread
            for _ in range(2 if self._random.random() < self._delivery.doubled else 1)
        ]
        self._send_at(times, change, plural, body)

    def _send_at(self, times: Iterable[float], change: str, plural: str, body: Body) -> None:
        for time in times:
            asyncio.get_running_loop().call_later(time, self._deliver, change, plural, body)

    def _let_go(self, number: int) -> None:
        """Send what has waited for this change; it comes right after it."""
        for due, change in self._waiting:
            if due <= number:
                asyncio.get_running_loop().call_later(_RIGHT_AFTER, self._send, *change)
        self._waiting = [(due, change) for due, change in self._waiting if due > number]

    def _catch_up(self) -> None:
        for held in self._behind.values():
            while held:
                self._send(*held.popleft())

    def _deliver(self, change: str, plural: str, body: Body) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._network.frozen_until:
            loop.call_at(self._network.frozen_until, self._deliver, change, plural, body)
        elif not self._is_stopped:
            self._intake.take(_KINDS[plural], change, body)


def _is_watched(plural: str, body: Body) -> bool:
    labels = body["metadata"].get("labels") or {}
    return plural in _KINDS and (plural in _OURS or labels.get(MANAGED_BY_KEY) == MANAGED_BY_VALUE)
