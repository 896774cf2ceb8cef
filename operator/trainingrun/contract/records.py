"""What a run says about itself while it trains: one record type per kind of news.

The trainer makes these records; the terminal, the operator and the report read them. They travel as JSON
lines, so a record must hold only plain values. Readers must ignore kinds and fields that they do not know.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic import TypeAdapter

# In a run's folder: its records, and the report that is made of them.
LOG_DIRECTORY = "progress"
REPORT_NAME = "report.html"


@dataclass(frozen=True, kw_only=True)
class Record:
    """News from one attempt. `time` is seconds since the epoch (UTC), `attempt` counts from 0."""

    kind: ClassVar[str]
    time: float
    attempt: int

    def to_json(self) -> str:
        """One line of strict JSON, without a line end. NaN and infinities, which JSON lacks, are named."""
        values = {"kind": self.kind, **dataclasses.asdict(self)}
        try:
            return json.dumps(values, separators=(",", ":"), allow_nan=False)
        except ValueError:
            return json.dumps(_with_named_numbers(values), separators=(",", ":"))


def _with_named_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_named_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_named_numbers(item) for item in value]
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


@dataclass(frozen=True, kw_only=True)
class KeptCheckpoint:
    """A checkpoint by its name, with the metrics that it was saved with."""

    name: str
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AttemptStarted(Record):
    """An attempt's driver is up. `resumed_from` names the checkpoint that it continues, if any; `best` is the run's
    best one so far; `initial_checkpoint` is what training starts from that is not the run's own."""

    kind: ClassVar[str] = "AttemptStarted"
    run: str
    world_size: int
    epochs: int | None
    first_epoch: int
    first_step: int
    resumed_from: str | None
    storage: str
    versions: dict[str, str]
    configuration: dict[str, Any]
    initial_checkpoint: str | None = None
    best: KeptCheckpoint | None = None


@dataclass(frozen=True, kw_only=True)
class Stall:
    """Share of the trainers' time spent waiting for data, in percent.

    `steady_percent` leaves out the wait for the first batch of each epoch. `causes` splits the total by where
    the time went (`Production`: the data group is too slow; `Transfer`: the network; `Collate`: the trainer's
    own CPU), in percentage points that add up to `total_percent`; what they leave has no known cause.
    """

    total_percent: float
    steady_percent: float
    causes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DataGroup:
    """How many data nodes the run wants, and why in a sentence.

    `gain_percentage` is how many more rows a second the last growth is expected to bring, or has brought once that has
    been measured; None where the group has not grown. `cache` says what of the newest pass through the training data
    that has begun was in the cache so far: Hit, Miss or Partial; None without a cache.
    """

    wanted_nodes: int
    reason: str
    gain_percentage: int | None = None
    cache: str | None = None


@dataclass(frozen=True, kw_only=True)
class Progress(Record):
    """Where training stands.

    `epoch` counts from 0 and is `epochs` when all are done; `step` counts from the beginning of the run;
    `total_steps` is None until the length of an epoch is known; `percent` is of the whole run.
    `rows_per_second` is of the epoch so far, without the time of saving and validation, and of the whole run in its
    last report. `stall` is of the run so far, with all its attempts. `recent_rows_per_second` and `recent_stall` are
    since the report before, which trained for `recent_seconds`. `data` is None where nobody sizes the data group.
    `bad_rows` counts the rows of the training data that were left out so far, over all epochs, and is None where bad
    rows are not left out. As in `rows`, what was lost with its steps and is read again counts once.
    `metrics` are of the epoch so far; `recent_metrics` are of the steps since the report before, without any name where
    there were none, and None where a loop of one's own does not tell them apart. `scalars` is whatever else was logged,
    such as `learning_rate`, as means since the report before.
    """

    kind: ClassVar[str] = "Progress"
    epoch: int
    epochs: int
    step: int
    total_steps: int | None
    percent: float
    rows: int | None
    rows_per_second: float | None
    metrics: dict[str, float]
    eta_seconds: float | None
    stall: Stall | None
    goodput_percent: float | None
    recent_stall: Stall | None = None
    recent_rows_per_second: float | None = None
    recent_seconds: float | None = None
    data: DataGroup | None = None
    bad_rows: int | None = None
    recent_metrics: dict[str, float] | None = None
    scalars: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EpochEnded(Record):
    """One pass over the training data is done: `rows` of it took `seconds`.

    `metrics` has `loss` and, with a validation set, `validation_*`. A script of one's own has neither rows nor stall.
    """

    kind: ClassVar[str] = "EpochEnded"
    epoch: int
    epochs: int
    step: int
    rows: int | None
    seconds: float
    metrics: dict[str, float]
    stall: Stall | None


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(Record):
    """A checkpoint is complete in storage and can be resumed from. `metrics` are those that it was saved with."""

    kind: ClassVar[str] = "CheckpointSaved"
    path: str
    epoch: int
    step: int
    seconds: float
    size_bytes: int
    best: bool
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorkersRestarted(Record):
    """Training workers were lost and are being started again inside the same attempt."""

    kind: ClassVar[str] = "WorkersRestarted"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Placement(Record):
    """Proof of placement: which nodes ran data tasks (rows by node) and which trained (ranks by node)."""

    kind: ClassVar[str] = "Placement"
    data_rows: dict[str, int]
    trainer_ranks: dict[str, list[int]]


@dataclass(frozen=True, kw_only=True)
class Notice(Record):
    """Something that the run's author should know; training goes on.

    `figures` are the numbers in it that the run's status is to show too, by the names of metrics.
    """

    kind: ClassVar[str] = "Notice"
    level: str
    message: str
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AttemptEnded(Record):
    """The attempt is over. `outcome` is that of its exit code (`exits.Exit`)."""

    kind: ClassVar[str] = "AttemptEnded"
    outcome: str
    exit_code: int
    message: str
    seconds: float


KINDS: dict[str, type[Record]] = {
    kind.kind: kind
    for kind in (
        AttemptStarted,
        Progress,
        EpochEnded,
        CheckpointSaved,
        WorkersRestarted,
        Placement,
        Notice,
        AttemptEnded,
    )
}


@functools.cache
def _readers() -> dict[str, TypeAdapter[Record]]:
    # Only where records are read: it takes longer than all else that most commands do.
    from pydantic import TypeAdapter

    return {name: TypeAdapter(kind) for name, kind in KINDS.items()}


def parse_line(line: str) -> Record | None:
    """The record that a JSON line holds, or None for a torn line or a kind that this version does not know.

    Fields that this version does not know are ignored, at every depth; a line with a value of the wrong type
    counts as torn.
    """
    try:
        values = json.loads(line)
        return _readers()[values.pop("kind")].validate_python(values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
