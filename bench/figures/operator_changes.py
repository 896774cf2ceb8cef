"""Whether the operator keeps up when the children of many runs change all the time.

Pods of training runs become unready and ready again, so that every single change is one of the run's own status: the
operator has to write it and to post an Event.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time

from bench.control_plane.audit import AuditLog
from bench.control_plane.client import Object, PlainClient, paced
from bench.control_plane.measured_operator import MeasuredOperator, running_operator
from bench.control_plane.plane import USER, ControlPlane, admin_client, control_plane, make_namespace
from bench.control_plane.runs import put_status, run_names, write_training_runs
from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun.contract.labels import RAY_GROUP_KEY, RAY_TRAINER_VALUE
from trainingrun.kube.resources import PODS, TRAINING_RUNS

_RUNS, _CHANGES, _SECONDS = 1000, 10_000, 60.0
_QUICK_RUNS, _QUICK_CHANGES, _QUICK_SECONDS = 20, 100, 3.0
_SAMPLE_SECONDS = 0.25


def measure(rounds: int, workspace: Workspace) -> Result:
    """The same storm in each round."""
    runs, changes, seconds = (
        (_QUICK_RUNS, _QUICK_CHANGES, _QUICK_SECONDS) if workspace.is_quick else (_RUNS, _CHANGES, _SECONDS)
    )
    found: list[dict[str, float]] = []
    with control_plane(workspace.folder / "changes") as plane:
        namespace = make_namespace(plane, "changes")
        asyncio.run(_fill(plane, namespace, runs))
        with running_operator(plane, runs) as operator:
            found = [_storm(plane, namespace, operator, changes, seconds) for _ in range(rounds)]

    def row(name: str, title: str, unit: str, key: str) -> Measure:
        return Measure(f"operator_changes_{name}", title, unit, [values[key] for values in found])

    what = f"{changes:,} changes of pods of {runs:,} runs in {seconds:g} s"
    measures = [
        row("queue_p99", f"{what}: longest wait in the queue, p99 over time", "s", "queueP99"),
        row("behind", f"{what}: last status written after the last change", "s", "behindSeconds"),
        row("cpu", f"{what}: the operator's CPU for each", "ms", "cpuMsPerChange"),
    ]
    return Result("operator_changes", measures, {"rounds": found})


async def _fill(plane: ControlPlane, namespace: str, runs: int) -> None:
    async with admin_client(plane) as admin:
        await write_training_runs(admin, namespace, run_names(0, runs))


def _storm(
    plane: ControlPlane, namespace: str, operator: MeasuredOperator, changes: int, seconds: float
) -> dict[str, float]:
    log, cpu, looks = AuditLog(plane), operator.cpu_seconds, operator.looks()
    pods = plane.admin.list(PODS.plural, namespace, f"{RAY_GROUP_KEY}={RAY_TRAINER_VALUE}")
    with _Sampler(operator) as sampler:
        asyncio.run(_change(plane, pods, changes, seconds))
        operator.wait_idle()
    cpu = operator.cpu_seconds - cpu
    _check(plane, namespace)
    writes = log.writes()
    last_change = max(write.answered for write in writes if write.resource == f"{PODS.plural}/status")
    statuses = [write for write in writes if write.user == USER and write.resource == f"{TRAINING_RUNS.plural}/status"]
    assert all(write.code == 200 or write.code == 409 for write in statuses)
    return {
        "queueP99": statistics.quantiles(sampler.oldest, n=100, method="inclusive")[98],
        "behindSeconds": max(0.0, statuses[-1].answered - last_change),
        "cpuMsPerChange": 1000 * cpu / changes,
        "statusWrites": len(statuses),
        "conflicts": sum(write.code == 409 for write in statuses),
        "looks": operator.looks() - looks,
        "secondsOfChanges": last_change - min(write.received for write in writes),
    }


async def _change(plane: ControlPlane, pods: list[Object], changes: int, seconds: float) -> None:
    """Pods take turns. Their number of changes is even, so that all are ready in the end."""
    async with admin_client(plane) as admin:
        turns = [_Turns(admin, pod) for pod in pods]
        each = 2 * max(1, changes // len(turns) // 2)
        await paced((turn for _ in range(each) for turn in turns), lambda turn: turn.change(), seconds)


class _Turns:
    """A pod that is ready and unready in turns. It waits for its own last change, if that takes long."""

    def __init__(self, admin: PlainClient, pod: Object):
        self._admin = admin
        # Items of a list do not say what they are.
        self._pod = {"apiVersion": PODS.api_version, "kind": PODS.kind, **pod}
        self._one = asyncio.Lock()

    async def change(self) -> None:
        async with self._one:
            conditions = self._pod["status"]["conditions"]
            is_ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
            told = [
                {**entry, "status": "False" if is_ready else "True"} if "Ready" in entry["type"] else entry
                for entry in conditions
            ]
            status = {**self._pod["status"], "conditions": told}
            self._pod = await put_status(self._admin, PODS, {**self._pod, "status": status})


def _check(plane: ControlPlane, namespace: str) -> None:
    """The operator has kept up only if the last change is what its runs say in the end."""
    for run in plane.admin.list(TRAINING_RUNS.plural, namespace):
        ready = [entry for entry in run["status"]["conditions"] if entry["type"] == "PodsReady"]
        assert ready[0]["status"] == "True", f"{run['metadata']['name']}: {ready}"


class _Sampler:
    """For how long the run that waits longest has waited, again and again."""

    def __init__(self, operator: MeasuredOperator):
        self.oldest: list[float] = []
        self._operator = operator
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> _Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopping.wait(_SAMPLE_SECONDS):
            began = time.monotonic()
            oldest = self._operator.oldest(self._operator.metrics())
            # An operator that does not answer lets its runs wait, too.
            self.oldest.append(max(oldest, time.monotonic() - began))
