"""Series that alerts are tried with, a value a minute: an operator and a run that are well, and what fires each alert.

The notation is that of promtool: `0+3x180` begins with 0 and grows by 3 for 180 minutes.
"""

from __future__ import annotations

MINUTES = 180
_OPERATOR = '{job="op", namespace="system", instance="a"%s}'
_RUN = '{namespace="team", run="mnist"%s}'


def _of_operator(name: str, labels: str = "") -> str:
    return f"trainingrun_{name}{_OPERATOR % labels}"


def _of_run(name: str, labels: str = "") -> str:
    return f"trainingrun_run_{name}{_RUN % labels}"


_LEADER = _of_operator("leader")
_WATCH = _of_operator("watch_age_seconds", ', kind="Pod"')
_UNSERVED = _of_operator("namespaces_unserved")
_OLDEST = _of_operator("queue_oldest_seconds")
_REPAIRS = _of_operator("resync_repairs_total")
_FORBIDDEN = _of_operator("api_requests_total", ', verb="list", resource="pods", code="403"')
_ALLOWED = _of_operator("api_requests_total", ', verb="list", resource="pods", code="200"')
_BUGS = _of_operator("reconcile_total", ', result="bug"')
_WRITTEN = _of_operator("reconcile_total", ', result="written"')
_STARTING, _RUNNING, _FAILED, _INVALID = (
    _of_run("state", f', state="{state}"') for state in ("Starting", "Running", "Failed", "Invalid")
)
_ATTEMPTS = _of_run("attempts_total")
_STALL = _of_run("data_stall_ratio")
# A replica that waits for the Lease has no watch, whose age is infinite then.
_STANDBY = '{job="op", namespace="system", instance="b"%s}'

HEALTHY = {
    _LEADER: "1x180",
    f"trainingrun_leader{_STANDBY % ''}": "0x180",
    _WATCH: "300x180",
    "trainingrun_watch_age_seconds" + _STANDBY % ', kind="Pod"': "999999x180",
    _UNSERVED: "0x180",
    _OLDEST: "2x60 100x3 2x117",
    # Once is no trend, and neither are refusals of long ago.
    _REPAIRS: "0x60 1x120",
    _FORBIDDEN: "4x180",
    _ALLOWED: "0+9x180",
    _BUGS: "0x180",
    _WRITTEN: "0+3x180",
    _STARTING: "1x20 0x160",
    _RUNNING: "0x20 1x160",
    _FAILED: "0x180",
    _INVALID: "0x180",
    _ATTEMPTS: "1x60 2x120",
    _STALL: "0.5x10 0.05x170",
}
# Instead of these.
FIRING = {
    "TrainingRunOperatorNotActing": {_LEADER: "1x60 0x120"},
    "TrainingRunNamespaceUnserved": {_UNSERVED: "0x60 2x120"},
    "TrainingRunQueueSlow": {_OLDEST: "2x60 61+60x120"},
    "TrainingRunWatchHangs": {_WATCH: "10x60 10+60x120"},
    "TrainingRunWatchesLoseEvents": {_REPAIRS: "0+0.1x180"},
    "TrainingRunRightMissing": {_FORBIDDEN: "4x60 5+0.2x120"},
    "TrainingRunOperatorBug": {_BUGS: "0x175 1x5"},
    "TrainingRunFailed": {_RUNNING: "1x60 0x120", _FAILED: "0x60 1x120"},
    "TrainingRunInvalid": {_RUNNING: "1x60 0x120", _INVALID: "0x60 1x120"},
    "TrainingRunNotStarting": {_RUNNING: "0x180", _STARTING: "0x120 1x60"},
    "TrainingRunRestartsOften": {_ATTEMPTS: "1x120 1+0.1x60"},
    "TrainingRunDataStarved": {_STALL: "0.05x160 0.214x20"},
}
# No replica is there at all.
ABSENT = {series: values for series, values in HEALTHY.items() if "trainingrun_leader" not in series}


def case(series: dict[str, str], alerts: set[str], minutes: tuple[int, ...]) -> dict[str, object]:
    """A test of promtool: exactly these alerts fire at each of these minutes."""
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in sorted(alerts)]
    expression = 'count by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{minute}m", "exp_samples": expected} for minute in minutes
        ],
    }
