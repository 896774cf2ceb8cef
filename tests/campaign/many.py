"""Tries very many cases on all processors, each by its number alone, and prints what failed and how to repeat it.

What a case is, its function says: it gets a seed, answers with how many histories it has played, and raises
AssertionError for a fault.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult, Pool

Case = Callable[[int], int]
# After so many faults the first ones are worth more than others.
MOST_FAULTS = 20
_CASES_A_TASK = 10


@dataclass
class Tally:
    """How many cases were tried, of which seeds, and how many histories they were; the faults in words, by seed."""

    first_seed: int
    cases: int = 0
    histories: int = 0
    faults: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        last = self.first_seed + self.cases - 1
        return (
            f"{self.histories:,} histories of seeds {self.first_seed} to {last} in {self.seconds:.0f} s, "
            f"{len(self.faults)} faults"
        )

    def note(self, seed: int, outcome: int | str) -> None:
        """Count a case by the histories that it was, or by the words of its fault."""
        self.cases += 1
        if isinstance(outcome, str):
            self.faults[seed] = outcome
            print(f"FAULT at seed {seed}: {outcome}", flush=True)
        else:
            self.histories += outcome


def try_all(case: Case, seeds: range, seconds: float = float("inf"), processes: int | None = None) -> Tally:
    """Try the seeds in order on so many processes, all processors if nothing is said, until the time is over."""
    tally, began = Tally(seeds.start), time.monotonic()
    count, told = processes or os.cpu_count() or 1, began
    with multiprocessing.Pool(count) as pool:
        for outcomes in _in_order(pool, case, seeds, count):
            for seed, outcome in outcomes:
                tally.note(seed, outcome)
            tally.seconds = time.monotonic() - began
            if time.monotonic() > told + 60:
                told = time.monotonic()
                print(tally, flush=True)
            if tally.seconds > seconds or len(tally.faults) >= MOST_FAULTS:
                break
    return tally


def _in_order(pool: Pool, case: Case, seeds: range, processes: int) -> Iterator[list[tuple[int, int | str]]]:
    """The outcomes in the order of their seeds, with only so much begun as keeps everybody busy."""
    begun: deque[AsyncResult[list[tuple[int, int | str]]]] = deque()
    for at in range(0, len(seeds), _CASES_A_TASK):
        begun.append(pool.apply_async(_try, [(case, seeds[at : at + _CASES_A_TASK])]))
        if len(begun) > 4 * processes:
            yield begun.popleft().get()
    while begun:
        yield begun.popleft().get()


def _try(task: tuple[Case, range]) -> list[tuple[int, int | str]]:
    case, seeds = task
    return [(seed, _outcome(case, seed)) for seed in seeds]


def _outcome(case: Case, seed: int) -> int | str:
    """How many histories the case was, or its fault in words. Any exception is one: nothing here may raise."""
    try:
        return case(seed)
    except Exception as error:
        cause = f" ({error.__cause__})" if error.__cause__ is not None else ""
        return f"{type(error).__name__}: {error}{cause}"[:1000]
