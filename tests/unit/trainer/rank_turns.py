"""Ranks as threads that take turns in a given order, so that a test can replay how they interleave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from faulty_store import Killed


class _Turns:
    """Lets one of several threads run at a time, each until it next waits for the others."""

    def __init__(self, order: list[int]):
        self.order = order
        self.values: dict[int, Any] = {}
        self.is_broken = False
        self._turn = 0
        self._changed = threading.Condition()

    def begin(self, rank: int) -> None:
        with self._changed:
            self._await(rank)

    def exchange(self, rank: int, value: Any) -> list[Any]:
        with self._changed:
            self.values[rank] = value
            self._pass_on()
            self._await(rank)
            # All have come here, and go on one after the other; the first takes what all have left.
            if self._turn == 0:
                self.taken = [self.values[each] for each in sorted(self.order)]
            return self.taken

    def end(self, *, is_killed: bool) -> None:
        with self._changed:
            self.is_broken = self.is_broken or is_killed
            self._pass_on()

    def _pass_on(self) -> None:
        self._turn = (self._turn + 1) % len(self.order)
        self._changed.notify_all()

    def _await(self, rank: int) -> None:
        self._changed.wait_for(lambda: self.is_broken or self.order[self._turn] == rank)
        if self.is_broken:
            raise Killed


class TurnsLockstep:
    """What Saver uses of Lockstep, for a rank among threads that take turns."""

    def __init__(self, turns: _Turns, rank: int):
        self.rank = rank
        self.world_size = len(turns.order)
        self._turns = turns

    def gather(self, value: Any) -> list[Any]:
        return self._turns.exchange(self.rank, value)

    def broadcast(self, value: Any) -> Any:
        return self.gather(value)[0]

    def wait(self) -> None:
        self.gather(None)


def on_ranks(order: list[int], work: Callable[[TurnsLockstep], Any]) -> list[Any]:
    """Do `work` on each rank, in turns of this order; what it returns or has raised, by rank.

    As Ray does, it ends the others where one has failed.
    """
    results: list[Any] = [Killed()] * len(order)
    turns = _Turns(order)

    def rank_work(rank: int) -> None:
        is_killed = False
        try:
            turns.begin(rank)
            results[rank] = work(TurnsLockstep(turns, rank))
        except BaseException as error:
            results[rank] = error
            is_killed = True
        turns.end(is_killed=is_killed)

    if len(order) == 1:
        rank_work(0)
        return results
    threads = [threading.Thread(target=rank_work, args=(rank,)) for rank in order]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
