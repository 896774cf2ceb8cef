"""What a run's own records say of its interruptions: from which step it went on, how soon, and at which loss.

Pure: records in, facts out. What is right, the tests say.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainingrun.contract.records import AttemptStarted, CheckpointSaved, Progress, Record, WorkersRestarted

# A run that has begun anew has lost everything: its loss is that of a guess, for digits 2.3. One that goes on may
# lose some steps, and one batch is not like another.
LOSS_FACTOR = 2.0
# Below this, a loss says only that the rows are known by heart.
SMALL_LOSS = 0.3
_STEPS = re.compile(r"step-(\d+)-")


@dataclass(frozen=True)
class Resumption:
    """Training has gone on after its workers or its driver were started again.

    `saved` are the steps of the newest checkpoint before, `resumed_at` those that it began with. `time` is that of
    the first steps afterwards, in seconds since 1970. `loss_before` is the highest loss reported since the checkpoint,
    as of steps that were taken again.
    """

    time: float
    saved: int
    resumed_at: int
    loss_before: float
    loss_after: float

    @property
    def is_seamless(self) -> bool:
        """Whether nothing was lost that had been saved, the model least of all."""
        return self.resumed_at >= self.saved and self.loss_after <= LOSS_FACTOR * max(self.loss_before, SMALL_LOSS)


def resumptions(records: Sequence[Record]) -> Iterator[Resumption]:
    """All of a run's, oldest first. One that has not led to a step is none."""
    saved = 0
    begun: tuple[int, int] | None = None
    losses: list[float] = []
    for record in records:
        if isinstance(record, CheckpointSaved):
            saved = record.step
            del losses[:-1]
        elif isinstance(record, (AttemptStarted, WorkersRestarted)):
            begun = (saved, _first_step(record))
        elif isinstance(record, Progress):
            loss = record.metrics["loss"]
            if losses and begun is not None:
                yield Resumption(record.time, *begun, max(losses), loss)
                losses.clear()
            begun = None
            losses.append(loss)


def longest_wait(records: Sequence[Record], since: float) -> float:
    """The longest time without a report of steps, from the last one before `since` on."""
    times = [record.time for record in records if isinstance(record, Progress)]
    recent = [max((time for time in times if time <= since), default=since), *(time for time in times if time > since)]
    return max((later - earlier for earlier, later in itertools.pairwise(recent)), default=0.0)


def miscounted(records: Sequence[Record], rows: int) -> list[Progress]:
    """Reports of more or fewer rows than there can be in their epoch, each of which has `rows`.

    None of a complete run: then, every row was trained once an epoch, whatever happened in between.
    """
    told = [record for record in records if isinstance(record, Progress)]
    return [record for record in told if not record.epoch * rows <= (record.rows or 0) <= (record.epoch + 1) * rows]


def _first_step(record: AttemptStarted | WorkersRestarted) -> int:
    if isinstance(record, AttemptStarted):
        return record.first_step
    named = _STEPS.search(record.reason)
    return int(named[1]) if named else 0
