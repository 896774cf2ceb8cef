"""Metrics of single runs, for installations that ask for them. Each run is a label here, so their number is bounded.

They repeat what status says, from the runs as the worker last saw them: no request is made for them, and a run that is
over is forgotten after a while. They must not judge a run. The names are those of docs/monitoring.md.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.contract.progress_metrics import GOODPUT, numbers_in
from trainingrun.engine.keys import Key
from trainingrun.observed import RunObject
from trainingrun.status.conditions import ConditionType
from trainingrun.status.fields import Activity, State
from trainingrun.status.json_values import integer_of, list_of, mapping_of, number_of, texts_by_name, time_of
from trainingrun.status.trainer_report import last_heard

# Values of a metric's own labels, and the value itself.
Sample = tuple[tuple[str, ...], float]
_STATES: tuple[str, ...] = get_args(State)
_LEFT_OUT = "Runs that have no metrics of their own because there are more than `--run-metrics`"


class RunMetrics(Collector):
    """The metrics of at most `most` runs. Of more, those that are not over come first, and of these the oldest.

    A run that is over is shown for `keep` after its end.
    """

    def __init__(self, most: int, keep: timedelta, now: Callable[[], datetime]):
        self._most = most
        self._keep = keep
        self._now = now
        self._runs: dict[Key, RunObject] = {}

    def note(self, key: Key, run: RunObject | None) -> None:
        """Note a run as it is now; None for one that is gone."""
        if run is None or run.deleting or self._is_past(run, self._now()):
            self._runs.pop(key, None)
        else:
            self._runs[key] = run

    def collect(self) -> Iterator[Metric]:
        """All series, as they are now."""
        now = self._now()
        for key in [key for key, run in self._runs.items() if self._is_past(run, now)]:
            del self._runs[key]
        shown = heapq.nsmallest(self._most, self._runs.values(), key=_order)
        for family in _FAMILIES:
            yield family.of(shown, now)
        left_out = GaugeMetricFamily("trainingrun_run_metrics_left_out", _LEFT_OUT)
        left_out.add_metric((), len(self._runs) - len(shown))
        yield left_out

    def _is_past(self, run: RunObject, now: datetime) -> bool:
        ended = _end_of(run)
        return ended is not None and now - ended > self._keep


@dataclass(frozen=True)
class _Family:
    """A metric: its name without prefix, its own labels, and the samples of a run."""

    name: str
    description: str
    samples: Callable[[RunObject, datetime], Iterable[Sample]]
    labels: tuple[str, ...] = ()

    def of(self, runs: Iterable[RunObject], now: datetime) -> Metric:
        labels = ("namespace", "run", *self.labels)
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        metric = kind(f"trainingrun_run_{self.name}", self.description, labels=labels)
        for run in runs:
            for own, value in self.samples(run, now):
                metric.add_metric((run.namespace, run.name, *own), value)
        return metric


def _state(run: RunObject) -> str:
    state = run.status.get("state")
    return state if isinstance(state, str) else "Pending"


def _end_of(run: RunObject) -> datetime | None:
    """When a run was over. One with an invalid spec is so since that was seen: nothing but an upgrade can help it."""
    ended = time_of(run.status.get("completionTime"))
    if ended is not None or _state(run) != "Invalid":
        return ended
    conditions = map(mapping_of, list_of(run.status.get("conditions")))
    return next(
        (time_of(c.get("lastTransitionTime")) for c in conditions if c.get("type") == ConditionType.ACCEPTED), None
    )


def _order(run: RunObject) -> tuple[bool, bool, float, str]:
    """Runs that are not over by their age, then those that are suspended, then what ended last."""
    ended = _end_of(run)
    time = run.created.timestamp() if ended is None else -ended.timestamp()
    return ended is not None, _state(run) == "Suspended", time, run.uid


def _info(run: RunObject, now: datetime) -> Iterator[Sample]:
    yield (run.uid, str(run.labels.get(QUEUE_KEY, ""))), 1.0


def _states(run: RunObject, now: datetime) -> Iterator[Sample]:
    current = _state(run)
    return (((state,), float(state == current)) for state in _STATES)


def _progress(run: RunObject, now: datetime) -> Iterator[Sample]:
    return _share(number_of(mapping_of(run.status.get("trainerStatus")).get("progressPercentage")))


def _goodput(run: RunObject, now: datetime) -> Iterator[Sample]:
    metrics = texts_by_name(mapping_of(run.status.get("trainerStatus")).get("metrics"))
    return _share(numbers_in({GOODPUT: metrics.get(GOODPUT, "")}).get(GOODPUT))


def _stall(run: RunObject, now: datetime) -> Iterator[Sample]:
    return _share(_told_now(run, "dataStatus", "stallPercentage"))


def _rows(run: RunObject, now: datetime) -> Iterator[Sample]:
    return _number(_told_now(run, "dataStatus", "rowsPerSecond"))


def _remaining(run: RunObject, now: datetime) -> Iterator[Sample]:
    return _number(_told_now(run, "trainerStatus", "estimatedRemainingSeconds"))


def _told_now(run: RunObject, part: str, name: str) -> float | None:
    """What the attempt that trains now has told: what an earlier one told is no news."""
    return number_of(mapping_of(run.status.get(part)).get(name)) if last_heard(run.status) is not None else None


def _attempts(run: RunObject, now: datetime) -> Iterator[Sample]:
    indexes = [integer_of(mapping_of(attempt).get("index")) for attempt in list_of(run.status.get("attempts"))]
    yield (), max((index for index in indexes if index is not None), default=-1) + 1


def _last_attempts(run: RunObject, now: datetime) -> Iterator[Sample]:
    attempts = map(mapping_of, list_of(run.status.get("attempts")))
    kinds = Counter((str(one.get("outcome", "")), str(one.get("failureClass", ""))) for one in attempts)
    return ((kind, float(count)) for kind, count in kinds.items())


def _activities(run: RunObject, now: datetime) -> Iterator[Sample]:
    usage = mapping_of(run.status.get("usage"))
    since = time_of(usage.get("since"))
    for activity in get_args(Activity):
        spent = number_of(usage.get(f"{activity.lower()}Seconds")) or 0.0
        if usage.get("activity") == activity and since is not None:
            spent += max(0.0, (now - since).total_seconds())
        yield (activity,), spent


def _share(percent: float | None) -> Iterator[Sample]:
    """A share of 1; what a pod told may be anything."""
    return _number(percent / 100 if percent is not None and 0 <= percent <= 100 else None)


def _number(value: float | None) -> Iterator[Sample]:
    if value is not None:
        yield (), value


_FAMILIES = (
    _Family("info", "A run, with its uid and its queue", _info, ("uid", "queue")),
    _Family("state", "1 for the state that the run is in, 0 for every other", _states, ("state",)),
    _Family("progress_ratio", "Share of the training that is done, 0 to 1", _progress),
    _Family("data_stall_ratio", "Share of their time that trainers wait for data, 0 to 1, while it trains", _stall),
    _Family("goodput_ratio", "Share of the time since its start that went into steps that were kept, 0 to 1", _goodput),
    _Family("rows_per_second", "Rows that are trained on per second, while it trains", _rows),
    _Family("remaining_seconds", "Estimated seconds until the training is done, while it trains", _remaining),
    _Family("attempts_total", "Attempts so far", _attempts),
    _Family(
        "last_attempts",
        "Of its last 10 attempts, those with this outcome and class of failure",
        _last_attempts,
        ("outcome", "class"),
    ),
    _Family("activity_seconds", "Seconds that the run has spent on this activity so far", _activities, ("activity",)),
)
