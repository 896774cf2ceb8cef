"""A run with its data group in a cluster, second by second: trainers, data workers, buffers, and pods that take time.

A model in rows per second. Sizing sees of it what it would see of a real run, and does to it what it would do there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from trainingrun_trainer.pool.load import Figures
from trainingrun_trainer.pool.sizing import Limits, State, Wanted, begin, decide


@dataclass(frozen=True)
class Work:
    """What a run asks of its data group, at a time in seconds since its start.

    `demand`: rows a second that trainers take when they need not wait. `row_seconds`: seconds of a data CPU for a row.
    `noise`: how much both vary from second to second. `most_rows`: what something behind the data workers lets through,
    such as storage, in rows a second. `gap`: `(every, seconds)` of validation and checkpoints. `stock_seconds`: so much
    of what trainers take is made ahead.
    """

    demand: Callable[[float], float]
    row_seconds: Callable[[float], float]
    noise: float = 0.05
    most_rows: float = math.inf
    gap: tuple[float, float] | None = None
    warm_up: float = 5.0
    stock_seconds: float = 3.0

    def is_gap(self, time: float) -> bool:
        return self.gap is not None and time % (self.gap[0] + self.gap[1]) >= self.gap[0]


def steady(demand: float, row_seconds: float, **more: float | tuple[float, float]) -> Work:
    """The same all the time."""
    return Work(lambda _: demand, lambda _: row_seconds, **more)  # type: ignore[arg-type]


@dataclass
class Simulation:
    """See the module. `pod_seconds` says how long the next pod takes to come; infinity: it never does."""

    work: Work
    limits: Limits
    random: random.Random
    cpus: int = 4
    pod_seconds: Callable[[random.Random], float] = lambda _: 45.0
    losses_per_hour: float = 0.0
    time: float = 0.0
    nodes: int = 0
    pods: list[float] = field(default_factory=list)
    buffer: float = 0.0
    # (time, nodes) whenever something else is wanted, and of all seconds of training: (time, time waited).
    changes: list[tuple[float, int]] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state: State = begin(self.limits)
        self.wanted = Wanted(self.limits.least, "")
        self.nodes = self.limits.least
        self._sums = Figures(nodes=self.nodes)

    def run(self, seconds: float) -> Simulation:
        end = self.time + seconds
        while self.time < end:
            self._second()
        return self

    def wanted_at(self, time: float) -> int:
        return [nodes for when, nodes in [(0.0, self.limits.least), *self.changes] if when <= time][-1]

    def stall(self, since: float) -> float:
        """The share of the time from then on that trainers waited, in percent."""
        waits = [waited for time, waited in self.seconds if time > since]
        return 100 * sum(waits) / len(waits)

    def _second(self) -> None:
        self.time += 1
        self._cluster()
        self._feed()
        before = self.wanted
        self.state, self.wanted = decide(self.state, self._sums, self.time)
        if self.wanted.nodes != before.nodes:
            self.changes.append((self.time, self.wanted.nodes))
        if self.wanted.reason != before.reason:
            self.reasons.append(self.wanted.reason)

    def _cluster(self) -> None:
        if self.nodes and self.random.random() < self.losses_per_hour / 3600:
            self.nodes -= 1
        self.nodes += sum(when <= self.time for when in self.pods)
        self.pods = [when for when in self.pods if when > self.time]
        while self.nodes + len(self.pods) < self.wanted.nodes:
            self.pods.append(self.time + self.pod_seconds(self.random))
        while self.nodes + len(self.pods) > self.wanted.nodes:
            if self.pods:
                self.pods.pop()
            else:
                self.nodes -= 1

    def _vary(self) -> float:
        return max(0.2, self.random.gauss(1.0, self.work.noise))

    def _feed(self) -> None:
        work, workers = self.work, self.nodes * self.cpus
        row_seconds = work.row_seconds(self.time) * self._vary()
        demand = work.demand(self.time) * self._vary() * (1.0 if self.time > work.warm_up else 0.1)
        is_training = not work.is_gap(self.time)
        able = min(workers / row_seconds, work.most_rows)
        wanted = demand if is_training else 0.0
        made = max(min(able, wanted + work.stock_seconds * demand - self.buffer), 0.0)
        eaten = min(wanted, self.buffer + made)
        self.buffer += made - eaten
        waited = 1 - eaten / demand if is_training else 0.0
        # Who waits for storage counts as busy, as does who computes.
        busy = workers * made / able if able else 0.0
        self._sums = self._sums.plus(
            Figures(
                nodes=self.nodes,
                rows=eaten,
                seconds=1.0 if is_training else 0.0,
                waited_seconds=waited,
                causes={"Production": waited},
                busy_seconds=busy,
                worker_seconds=float(workers),
                made_rows=made,
                taken_rows=eaten,
            )
        )
        if is_training and self.time > work.warm_up:
            self.seconds.append((self.time, waited))
