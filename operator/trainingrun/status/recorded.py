"""Reads what status remembers of a run, whoever wrote it.

It must accept anything: what cannot be read counts as not there, except that the number of an attempt is never
forgotten as long as any entry shows it, since a number that is used twice could mean two live attempts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from trainingrun.status.conditions import Condition, ConditionType, conditions_of
from trainingrun.status.fields import MAX_INDEX, Attempt, Outputs, RuntimeSnapshot, Suspicion, Usage
from trainingrun.status.json_values import integer_of, list_of, time_of
from trainingrun.status.model import MAX_COUNT, StatusModel

Part = TypeVar("Part", bound=StatusModel)


@dataclass(frozen=True)
class Recorded:
    """What status says, with attempts in the order of their numbers."""

    attempts: tuple[Attempt, ...]
    failures: int
    suspected: Suspicion | None
    conditions: Mapping[ConditionType, Condition]
    start_time: datetime | None
    completion_time: datetime | None
    usage: Usage
    outputs: Outputs
    initial_checkpoint: str | None
    runtime: RuntimeSnapshot | None = None

    @property
    def highest_index(self) -> int:
        """The number of the newest attempt, -1 when there is none."""
        return self.attempts[-1].index if self.attempts else -1

    @property
    def verdict(self) -> Condition | None:
        """The condition that says that the run is over, if it is."""
        for kind in (ConditionType.COMPLETE, ConditionType.FAILED):
            found = self.conditions.get(kind)
            if found is not None and found.status == "True":
                return found
        return None


def recorded_of(status: Mapping[str, Any], now: datetime) -> Recorded:
    """What `status` remembers. `now` stands in for times of conditions that cannot be read."""
    attempts = _attempts(status.get("attempts"))
    return Recorded(
        attempts=attempts,
        failures=_failures(status.get("failures"), attempts),
        suspected=_part(Suspicion, status.get("suspected")),
        conditions=conditions_of(status.get("conditions"), now),
        start_time=time_of(status.get("startTime")),
        completion_time=time_of(status.get("completionTime")),
        usage=_part(Usage, status.get("usage")) or Usage(),
        outputs=_part(Outputs, status.get("outputs")) or Outputs(),
        initial_checkpoint=initial if isinstance(initial := status.get("initialCheckpoint"), str) else None,
        runtime=_part(RuntimeSnapshot, status.get("runtime")),
    )


def _attempts(listed: object) -> tuple[Attempt, ...]:
    read = [entry for entry in map(_attempt, list_of(listed)) if entry is not None]
    by_index = {entry.index: entry for entry in read}
    return tuple(by_index[index] for index in sorted(by_index))


def _attempt(entry: object) -> Attempt | None:
    if not isinstance(entry, Mapping) or not _is_index(entry.get("index")):
        return None
    # An entry that says only its number says at least that: what becomes of it is seen from its RayJob.
    return _part(Attempt, entry) or _part(Attempt, {**entry, "outcome": "Pending"})


def _part(kind: type[Part], value: object) -> Part | None:
    """A part of status, without its fields that cannot be read; None when it cannot be without those."""
    if not isinstance(value, Mapping):
        return None
    try:
        return kind.model_validate(value)
    except (ValidationError, OverflowError) as error:
        wrong = {detail["loc"][0] for detail in error.errors()} if isinstance(error, ValidationError) else set()
    try:
        return kind.model_validate({key: kept for key, kept in value.items() if key not in wrong})
    except (ValidationError, OverflowError):
        return None


def _failures(value: object, attempts: tuple[Attempt, ...]) -> int:
    """The recorded count, but never less than what the entries show."""
    shown = sum(attempt.counted for attempt in attempts)
    count = integer_of(value)
    return max(count, shown) if count is not None and 0 <= count <= MAX_COUNT else shown


def _is_index(value: object) -> bool:
    index = integer_of(value)
    return index is not None and 0 <= index <= MAX_INDEX
