"""The queue of runs to reconcile: each is in it at most once, and has one worker at a time.

It knows nothing of Kubernetes. A run that fails is retried with growing pauses, and an event may shorten such a
pause only so far that the run is still not tried more than once a second; other runs never wait for it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 300.0
# No event makes a failing run come back sooner than this after its failure.
SHORTEST_PAUSE = 1.0


class WorkQueue(Generic[K]):
    """Keys that are due now, and keys that are due later, by the clock of the running event loop.

    `jitter` gives a factor of about 1, so that runs that failed together are not tried together.
    """

    def __init__(self, jitter: Callable[[], float]):
        self._loop = asyncio.get_running_loop()
        self._jitter = jitter
        self._ready: deque[K] = deque()
        self._since: dict[K, float] = {}
        self._running: dict[K, float] = {}
        self._again: set[K] = set()
        self._idle: deque[asyncio.Future[None]] = deque()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._not_before: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._sequence = 0
        self._moved_at = 0.0
        self._is_stopping = False

    def add(self, key: K) -> None:
        """The key must be reconciled now, or as soon as the worker that has it is done."""
        barred = self._not_before.get(key, 0.0)
        if barred > self._loop.time():
            self._plan(key, barred)
        elif key in self._running:
            self._again.add(key)
        elif key not in self._since:
            self._since[key] = self._loop.time()
            self._ready.append(key)
            self._wake_one()

    def add_after(self, key: K, seconds: float) -> None:
        """The key must be reconciled in this many seconds; of several requests, the earliest counts."""
        self._plan(key, max(self._loop.time() + seconds, self._not_before.get(key, 0.0)))

    def retry(self, key: K, at_least: float | None = None) -> float:
        """The key failed: reconcile it again after a pause that doubles with each failure. Returns the pause.

        `at_least` is what the server asked for; no event makes the key come back sooner than that.
        """
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause = min(FIRST_PAUSE * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE) * self._jitter()
        pause = max(pause, at_least or 0.0)
        now = self._loop.time()
        self._not_before[key] = now + max(min(pause, SHORTEST_PAUSE), at_least or 0.0)
        self._plan(key, now + pause)
        return pause

    def forgive(self, key: K) -> None:
        """The key succeeded: its next failure is its first."""
        self._failures.pop(key, None)
        self._not_before.pop(key, None)

    def depth(self) -> int:
        """The number of keys that are due and have no worker yet."""
        return len(self._ready)

    def oldest(self) -> float:
        """How many seconds the oldest key has been waiting or worked on."""
        waiting = self._since[self._ready[0]] if self._ready else self._loop.time()
        return self._loop.time() - min([waiting, *self._running.values()])

    def stalled(self) -> float:
        """For how many seconds nothing has moved although there is work: no key was taken or done, or one hangs."""
        now = self._loop.time()
        waiting = now - max(self._moved_at, self._since[self._ready[0]]) if self._ready else 0.0
        return max(waiting, now - min(self._running.values(), default=now))

    def stop(self) -> None:
        """Hand out no more keys: `work` returns when the key that it has is done."""
        self._is_stopping = True
        if self._timer is not None:
            self._timer.cancel()
        while self._idle:
            self._wake_one()

    async def work(self, worker: Callable[[K], Awaitable[None]]) -> None:
        """Hand keys to a worker, one at a time, until `stop`. Run one of these per worker.

        The worker must not raise: what went wrong is its to judge, with `retry` or without.
        """
        while (key := await self._take()) is not None:
            try:
                await worker(key)
            finally:
                del self._running[key]
                self._moved_at = self._loop.time()
                if key in self._again:
                    self._again.remove(key)
                    self.add(key)

    async def _take(self) -> K | None:
        while not self._is_stopping:
            if self._ready:
                key = self._ready.popleft()
                del self._since[key]
                self._running[key] = self._moved_at = self._loop.time()
                return key
            waiter = self._loop.create_future()
            self._idle.append(waiter)
            await waiter
        return None

    def _wake_one(self) -> None:
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _plan(self, key: K, due: float) -> None:
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._later, (due, self._sequence, key))
        if self._later[0][0] == due:
            self._set_timer()

    def _set_timer(self) -> None:
        """The timer is always for the earliest key that is due later."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._later[0][0], self._promote) if self._later else None

    def _promote(self) -> None:
        """Move the keys whose time has come to the keys that are due now."""
        # All of them before any is added: one that is added may be put off again, into the same heap.
        now, due_now = self._loop.time(), []
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                del self._due[key]
                due_now.append(key)
        for key in due_now:
            self.add(key)
        self._set_timer()
