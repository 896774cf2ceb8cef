"""Measures how hard a run works its data group: sums go in, and from time to time a measurement comes out.

Only time in which trainers train counts, with one and the same number of data nodes: not the start of a run, the time
after nodes have come or gone, validation or checkpoints. What was made in such a pause is trained on after it, however,
and must not be taken for what the group can make. Pure: the time is an argument.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

# The cause of waiting that data nodes can do something about: rows are not made fast enough.
PRODUCTION = "Production"
# So much time of training makes a measurement, in at least so many reports.
WINDOW_SECONDS = 20.0
_LEAST_REPORTS = 3
# After training begins, and after nodes have come or gone, this much is left out: buffers fill, code is compiled.
_SETTLING_SECONDS = 15.0
# A report of which less than this share is training has a checkpoint, a validation or a pause in it.
_LEAST_SHARE = 0.5
# Who lives from stock by more than this is not fed by what data workers make now. Rows come in units, and so unevenly.
_FROM_STOCK = 0.1


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What is known of a run: sums since its workers began, and how many data nodes have a data worker now.

    `rows` are those trained on by all ranks, in `seconds` of training steps. In `waited_seconds` of these the trainers
    had nothing to do for want of data, which `causes` splits: seconds by `Production`, `Transfer` and `Collate`.
    `busy_seconds` data workers have worked, out of the `worker_seconds` for which they were there. In this time they
    have made `made_rows` for training, and trainers have taken `taken_rows`, the ones made before included.
    """

    nodes: int
    rows: float = 0.0
    seconds: float = 0.0
    waited_seconds: float = 0.0
    causes: dict[str, float] = field(default_factory=dict)
    busy_seconds: float = 0.0
    worker_seconds: float = 0.0
    made_rows: float = 0.0
    taken_rows: float = 0.0

    def since(self, before: Figures) -> Figures:
        """What has been added since `before`."""
        return Figures(
            nodes=self.nodes,
            rows=self.rows - before.rows,
            seconds=self.seconds - before.seconds,
            waited_seconds=self.waited_seconds - before.waited_seconds,
            causes={cause: seconds - before.causes.get(cause, 0.0) for cause, seconds in self.causes.items()},
            busy_seconds=self.busy_seconds - before.busy_seconds,
            worker_seconds=self.worker_seconds - before.worker_seconds,
            made_rows=self.made_rows - before.made_rows,
            taken_rows=self.taken_rows - before.taken_rows,
        )

    def plus(self, more: Figures) -> Figures:
        """Both together, on the nodes of `more`."""
        names = self.causes.keys() | more.causes.keys()
        return Figures(
            nodes=more.nodes,
            rows=self.rows + more.rows,
            seconds=self.seconds + more.seconds,
            waited_seconds=self.waited_seconds + more.waited_seconds,
            causes={name: self.causes.get(name, 0.0) + more.causes.get(name, 0.0) for name in names},
            busy_seconds=self.busy_seconds + more.busy_seconds,
            worker_seconds=self.worker_seconds + more.worker_seconds,
            made_rows=self.made_rows + more.made_rows,
            taken_rows=self.taken_rows + more.taken_rows,
        )


@dataclass(frozen=True)
class Load:
    """A measurement: `sums` of one stretch of training on `nodes` data nodes."""

    sums: Figures

    @property
    def nodes(self) -> int:
        """Data nodes that worked, at least one."""
        return self.sums.nodes

    @property
    def made(self) -> float:
        """Rows that were made for each one taken, more than 0. Less than 1: others had been made before."""
        return self.sums.made_rows / self.sums.taken_rows if self.sums.taken_rows > 0 else 1.0

    @property
    def is_from_stock(self) -> bool:
        """Whether data workers could not have made all that was taken, however busy: more had been made before."""
        return self.made < (1 - _FROM_STOCK) * self.busy

    @property
    def pace(self) -> float:
        """Rows that were trained on in a second of training."""
        return self.sums.rows / self.sums.seconds

    @property
    def rate(self) -> float:
        """The part of the pace that was made meanwhile."""
        return self.pace * min(self.made, 1.0)

    @property
    def stall(self) -> float:
        """The share of their time that trainers waited for data, 0 to 1."""
        return min(max(self.sums.waited_seconds / self.sums.seconds, 0.0), 1.0)

    @property
    def demand(self) -> float:
        """Rows a second that trainers would take if they never waited for rows to be made.

        Who waits nearly all of the time says nothing about it; it is then put at a hundred times the pace.
        """
        causes = {cause: max(seconds, 0.0) for cause, seconds in self.sums.causes.items()}
        made = causes.get(PRODUCTION, 0.0) / sum(causes.values()) if any(causes.values()) else 1.0
        return self.pace / (1 - min(self.stall * made, 0.99))

    @property
    def busy(self) -> float:
        """The share of their time that data workers worked, 0 to 1."""
        return min(self.sums.busy_seconds / self.sums.worker_seconds, 1.0) if self.sums.worker_seconds > 0 else 0.0

    @property
    def row_seconds(self) -> float:
        """Seconds of a data CPU for each row that is trained on."""
        return self.sums.busy_seconds / (self.sums.rows * self.made)

    @property
    def rate_per_node(self) -> float:
        """Rows a second that a data node can make when its workers are always busy."""
        return self.pace * self.made / (self.nodes * max(self.busy, 0.01))

    @property
    def cause(self) -> str:
        """What trainers waited for most; empty if nothing is known."""
        causes = {cause: seconds for cause, seconds in self.sums.causes.items() if seconds > 0}
        return max(causes, key=lambda cause: causes[cause], default="")

    def plus(self, more: Load) -> Load:
        """Both stretches as one."""
        return Load(self.sums.plus(more.sums))


@dataclass(frozen=True)
class Meter:
    """What has been seen since the last measurement."""

    last: Figures | None = None
    last_time: float = 0.0
    settled_time: float | None = None
    sums: Figures = field(default_factory=lambda: Figures(nodes=0))
    reports: int = 0

    @property
    def has_begun(self) -> bool:
        """Whether training has begun."""
        return self.settled_time is not None

    def after(self, figures: Figures, now: float) -> tuple[Meter, Load | None]:
        """With what is known `now`, in seconds; a measurement once there is enough for one.

        Nothing is counted unless a trainer has reported since the call before.
        """
        last = self.last
        if last is None or figures.seconds < last.seconds or figures.rows < last.rows:
            return Meter(figures, now), None  # the first figures, or those of new training workers
        if figures.nodes != last.nodes:
            return Meter(figures, now, settled_time=self._settling_until(now)), None
        new = figures.since(last)
        if new.seconds <= 0:
            return self, None
        went_on = dataclasses.replace(self, last=figures, last_time=now)
        if self.settled_time is None:
            return dataclasses.replace(went_on, settled_time=now + _SETTLING_SECONDS), None
        if now < self.settled_time or figures.nodes < 1 or new.seconds < _LEAST_SHARE * (now - self.last_time):
            return went_on, None
        sums, reports = self.sums.plus(new), self.reports + 1
        # Rows that take long to make come one by one.
        has_rows = sums.rows > 0 and (sums.made_rows > 0 or sums.taken_rows <= 0)
        if sums.seconds < WINDOW_SECONDS or reports < _LEAST_REPORTS or not has_rows:
            return dataclasses.replace(went_on, sums=sums, reports=reports), None
        return Meter(figures, now, self.settled_time), Load(sums)

    def _settling_until(self, now: float) -> float | None:
        """None before training has begun: settling then begins with it."""
        return None if self.settled_time is None else max(self.settled_time, now + _SETTLING_SECONDS)
