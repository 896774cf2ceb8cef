"""What the pages know about a run. Whatever its status does not say is None or empty, never a made-up 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from trainingrun.contract.records import Stall

# The states of a run whose attempts are over for good; a suspended run may be resumed.
ENDED_STATES = frozenset({"Complete", "Failed", "Invalid"})
# The states in which pods of the run exist or are being made.
ACTIVE_STATES = frozenset({"Starting", "Running", "Restarting", "Suspending"})
_COLOURS = {"Complete": "green", "Running": "cyan", "Failed": "red", "Invalid": "red"}


def state_colour(state: str) -> str:
    """The colour of a state on a terminal: yellow for what is on its way."""
    return _COLOURS.get(state, "yellow")


@dataclass(frozen=True)
class ConditionView:
    """One condition. `is_true` is None while it is unknown; `words` are its message, else its reason."""

    is_true: bool | None
    reason: str
    message: str
    since: datetime | None

    @property
    def words(self) -> str:
        """The message, or the reason where there is none."""
        return self.message or self.reason


@dataclass(frozen=True)
class AttemptView:
    """One attempt. `index` counts from 0, as in status and in `--attempt`."""

    index: int
    outcome: str
    ray_job: str = ""
    failure_class: str = ""
    exit_code: int | None = None
    node: str = ""
    pod: str = ""
    message: str = ""
    resumed_from: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    head_restarts: int = 0
    preemptions: int = 0


@dataclass(frozen=True)
class CheckpointView:
    """A checkpoint in storage. `mounted` is its path in the run's pods, empty where no claim is mounted there."""

    uri: str
    step: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    mounted: str = ""


@dataclass(frozen=True)
class SuspicionView:
    """A failure that is seen but not proved: since when, and when it counts if it is still seen then."""

    attempt: int
    failure_class: str
    message: str = ""
    node: str = ""
    pod: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class RunView:
    """One run, as its page and its row in lists need it."""

    namespace: str
    name: str
    uid: str
    created: datetime | None
    deleting: bool
    # False until the operator has seen the newest spec.
    is_seen: bool
    state: str
    suspend: bool = False
    queue: str = ""
    runtime: str = ""
    storage: str = ""
    conditions: Mapping[str, ConditionView] = field(default_factory=dict)
    attempts: tuple[AttemptView, ...] = ()
    trainers: int = 1
    data_nodes: int = 1
    most_data_nodes: int = 1
    ready_data_nodes: int | None = None
    # Ready pods out of all pods, for example `5/7`.
    pods: str = ""
    backoff_limit: int = 3
    failures: int = 0
    suspected: SuspicionView | None = None
    started: datetime | None = None
    ended: datetime | None = None
    percent: float | None = None
    eta_seconds: float | None = None
    reported: datetime | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    stall: Stall | None = None
    stall_cause: str = ""
    wanted_data_nodes: int | None = None
    data_reason: str = ""
    data_gain_percent: int | None = None
    data_cache: str = ""
    bad_rows: int | None = None
    rows_per_second: float | None = None
    goodput_percent: float | None = None
    # Whether it trains a recipe, and not by a command of its own.
    has_recipe: bool = True
    # What it starts from that is not its own, and its folder in storage, once it has begun.
    initial: str = ""
    folder: str = ""
    last: CheckpointView | None = None
    best: CheckpointView | None = None
    dashboard: str = ""

    @property
    def attempt(self) -> AttemptView | None:
        """The newest attempt."""
        return max(self.attempts, key=lambda attempt: attempt.index, default=None)

    def condition(self, name: str) -> ConditionView | None:
        """The condition of this type, if status has it."""
        return self.conditions.get(name)

    def holds(self, name: str) -> bool:
        """Whether the condition of this type is true."""
        condition = self.conditions.get(name)
        return condition is not None and condition.is_true is True
