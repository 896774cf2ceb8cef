"""What is known of a run: its attempts as one course of training, and the answers that follow from it.

Pure: no clock, no files, no words. A question that the records do not answer has the answer None.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Progress,
    Stall,
    WorkersRestarted,
)
from trainingrun.history.figures import finite, ratio


@dataclass
class AttemptHistory:
    """One driver's life. `number` counts from 0; `started` and `ended` are None where the record is missing."""

    number: int
    first_time: float
    last_time: float
    started: AttemptStarted | None = None
    ended: AttemptEnded | None = None
    data_rows: dict[str, int] = field(default_factory=dict)
    trainer_ranks: dict[str, list[int]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it lasted, up to its last record where its end is not recorded."""
        return self.ended.seconds if self.ended else self.last_time - self.first_time


@dataclass(frozen=True)
class Resumption:
    """Training resumed after an interruption. `repeated_steps` were done before it and were done again."""

    time: float
    attempt: int
    step: int
    repeated_steps: int
    inside_attempt: bool
    reason: str


@dataclass
class History:
    """A run from its first record to its last. Repeated steps and epochs are here once, as last done.

    Only `reports` holds every report of progress, also on steps that were lost, for questions about time.
    """

    attempts: list[AttemptHistory] = field(default_factory=list)
    reports: list[Progress] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    epochs: list[EpochEnded] = field(default_factory=list)
    checkpoints: list[CheckpointSaved] = field(default_factory=list)
    resumptions: list[Resumption] = field(default_factory=list)
    worker_restarts: list[WorkersRestarted] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @property
    def name(self) -> str | None:
        """The run's name."""
        return next((attempt.started.run for attempt in reversed(self.attempts) if attempt.started), None)

    @property
    def started(self) -> AttemptStarted | None:
        """How the newest attempt was started."""
        return next((attempt.started for attempt in reversed(self.attempts) if attempt.started), None)

    @property
    def ended(self) -> AttemptEnded | None:
        """How the newest attempt ended; None while it runs and when it vanished."""
        return self.attempts[-1].ended if self.attempts else None

    @property
    def seconds(self) -> float | None:
        """Time from the first record to the last, pauses between attempts included."""
        return self.attempts[-1].last_time - self.attempts[0].first_time if self.attempts else None

    @property
    def metrics(self) -> dict[str, float]:
        """The newest loss and metrics: of the last finished epoch, else the last reported."""
        if self.epochs:
            return self.epochs[-1].metrics
        return self.progress[-1].metrics if self.progress else {}

    @property
    def total_epochs(self) -> int | None:
        """How many epochs were requested."""
        if self.started and self.started.epochs is not None:
            return self.started.epochs
        return self.epochs[-1].epochs if self.epochs else self.progress[-1].epochs if self.progress else None

    @property
    def epochs_done(self) -> int | None:
        """How many epochs are finished and kept, those before the first record included."""
        if self.epochs:
            return self.epochs[-1].epoch + 1
        if self.progress:
            return self.progress[-1].epoch
        return self.started.first_epoch if self.started else None

    @property
    def rows_per_second(self) -> float | None:
        """Mean throughput of the finished epochs, or the last one reported before there is any."""
        known = [(epoch.rows, epoch.seconds) for epoch in self.epochs if epoch.rows is not None]
        mean = ratio(sum(rows for rows, _ in known), sum(seconds for _, seconds in known))
        return mean if mean is not None or not self.progress else finite(self.progress[-1].rows_per_second)

    @property
    def stall(self) -> Stall | None:
        """Data stall of all finished epochs by their length, or the last one reported before there is any."""
        weighted = [(epoch.stall, epoch.seconds) for epoch in self.epochs if epoch.stall and epoch.seconds > 0]
        return mean_stall(weighted) or (self.progress[-1].stall if self.progress else None)

    @property
    def goodput_percent(self) -> float | None:
        """The newest reported share of time that went into steps that were kept."""
        return finite(self.progress[-1].goodput_percent) if self.progress else None

    @property
    def bad_rows(self) -> int | None:
        """How many rows were left out, as reported last; None where bad rows are not left out."""
        return self.progress[-1].bad_rows if self.progress else None

    @property
    def cache(self) -> str | None:
        """What of the newest pass was in the cache, as reported last: Hit, Miss or Partial; None without a cache."""
        data = self.progress[-1].data if self.progress else None
        return data.cache if data is not None else None

    @property
    def data_nodes(self) -> list[str]:
        """The nodes on which data tasks made at least one row, in any attempt."""
        return sorted({node for attempt in self.attempts for node, rows in attempt.data_rows.items() if rows > 0})

    @property
    def trainer_nodes(self) -> list[str]:
        """The nodes on which training workers ran, in any attempt."""
        return sorted({node for attempt in self.attempts for node in attempt.trainer_ranks})

    @property
    def best_checkpoint(self) -> CheckpointSaved | None:
        """The newest checkpoint that was the best when it was saved."""
        return next((saved for saved in reversed(self.checkpoints) if saved.best), None)

    @property
    def last_checkpoint(self) -> CheckpointSaved | None:
        """The newest complete checkpoint."""
        return self.checkpoints[-1] if self.checkpoints else None


def mean_stall(weighted: list[tuple[Stall, float]]) -> Stall | None:
    """The stall over several stretches, each with its length; None without any that can be measured."""
    known = [
        (s, w) for s, w in weighted if finite(s.total_percent) is not None and finite(s.steady_percent) is not None
    ]
    length = sum(weight for _, weight in known)
    if length <= 0:
        return None
    causes: dict[str, float] = {}
    for stall, weight in known:
        for cause, points in stall.causes.items():
            causes[cause] = causes.get(cause, 0.0) + (finite(points) or 0.0) * weight / length
    return Stall(
        total_percent=sum(stall.total_percent * weight for stall, weight in known) / length,
        steady_percent=sum(stall.steady_percent * weight for stall, weight in known) / length,
        causes=causes,
    )
