"""From the apply of a run to its RayJob while many are applied, and what the same writes take without an operator.

In turns: the operator at work, and a plain client that writes for each run what the operator has written for it, with
the operator's rights. Times are the API server's own, from its audit log.
"""

from __future__ import annotations

import asyncio
import statistics
from collections import Counter
from dataclasses import dataclass

from bench.control_plane.audit import AuditLog, Write
from bench.control_plane.baseline import Writer
from bench.control_plane.client import Object, PlainClient, paced
from bench.control_plane.measured_operator import running_operator
from bench.control_plane.plane import USER, ControlPlane, admin_client, control_plane, make_namespace, operator_client
from bench.control_plane.runs import documents, run_names
from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun.kube.resources import EVENTS, RAY_JOBS, TRAINING_RUNS

_RUNS, _SECONDS = 1000, 10.0
_QUICK_RUNS, _QUICK_SECONDS = 50, 1.0
_LONGEST_SECONDS = 300.0
# What the operator posts behind its work, one after the other, is awaited by nobody.
_BACKGROUND = frozenset({EVENTS.plural})


@dataclass(frozen=True)
class _Round:
    """Seconds of one side: each run's wait for its RayJob, and from the first apply to the last write that counts."""

    waits: list[float]
    total: float
    writes: Counter[str]


def measure(rounds: int, workspace: Workspace) -> Result:
    """Rounds of the two in turns."""
    runs, seconds = (_QUICK_RUNS, _QUICK_SECONDS) if workspace.is_quick else (_RUNS, _SECONDS)
    ours, plain = [], []
    with control_plane(workspace.folder / "apply") as plane:
        for number in range(rounds):
            namespace = make_namespace(plane, f"apply-{number}")
            ours.append(_with_operator(plane, namespace, runs, seconds))
            written = _examples(plane, namespace)
            asyncio.run(_clear(plane, namespace))
            plain.append(_without_operator(plane, namespace, runs, seconds, Writer(ours[-1].writes, runs, written)))
            asyncio.run(_clear(plane, namespace))
    shares = [mine.total / other.total for mine, other in zip(ours, plain, strict=True)]
    title = f"apply until the RayJob exists, {runs:,} runs in {seconds:g} s"
    measures = [
        Measure("operator_apply_p50", f"{title}, p50", "s", [statistics.median(side.waits) for side in ours]),
        Measure("operator_apply_p99", f"{title}, p99", "s", [_p99(side.waits) for side in ours]),
        Measure("operator_apply_total", "all of it, against a plain client with the same writes", "x plain", shares),
    ]
    raw = {
        "operatorSeconds": [side.total for side in ours],
        "plainSeconds": [side.total for side in plain],
        "plainP50": [statistics.median(side.waits) for side in plain],
        "plainP99": [_p99(side.waits) for side in plain],
        "operatorWrites": [dict(side.writes) for side in ours],
        "plainWrites": [dict(side.writes) for side in plain],
    }
    return Result("operator_apply", measures, raw)


def _with_operator(plane: ControlPlane, namespace: str, runs: int, seconds: float) -> _Round:
    with running_operator(plane) as operator:
        log = AuditLog(plane)

        async def apply() -> None:
            async with admin_client(plane) as admin:
                await paced(documents(run_names(0, runs)), lambda run: _create(admin, namespace, run), seconds)

        asyncio.run(apply())
        plane.admin.until(lambda: _count(plane, namespace) == runs, "a RayJob for each run", _LONGEST_SECONDS)
        operator.wait_idle()
    # It has ended: what it had still to post is in the log.
    return _judge(log.writes())


def _without_operator(plane: ControlPlane, namespace: str, runs: int, seconds: float, writer: Writer) -> _Round:
    log = AuditLog(plane)

    async def apply() -> None:
        async with admin_client(plane) as admin, operator_client(plane) as client, writer.at_work(client):

            async def create(document: Object) -> None:
                await writer.follow(client, await _create(admin, namespace, document))

            await paced(documents(run_names(0, runs)), create, seconds)

    asyncio.run(apply())
    return _judge(log.writes())


def _count(plane: ControlPlane, namespace: str) -> int:
    """How many RayJobs there are, without reading them."""
    page = plane.admin.request("GET", RAY_JOBS.path(namespace), limit="1")
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


async def _create(admin: PlainClient, namespace: str, document: Object) -> Object:
    return await admin.send("POST", TRAINING_RUNS.path(namespace), document)


def _judge(writes: list[Write]) -> _Round:
    # The server may be too busy for a write, which its sender then repeats.
    refused = Counter(write.code for write in writes if write.code >= 300)
    assert refused.keys() <= {429, 503, 504}, refused
    writes = [write for write in writes if write.code < 300]
    applied = {write.name: write.received for write in writes if write.resource == TRAINING_RUNS.plural}
    # A RayJob is named for its run, a part that tells runs of one name apart, and the attempt.
    made = {write.name.rsplit("-", 2)[0]: write.answered for write in writes if write.resource == RAY_JOBS.plural}
    assert made.keys() == applied.keys(), f"{len(applied)} runs, {len(made)} RayJobs"
    last = max(write.answered for write in writes if write.resource not in _BACKGROUND)
    return _Round(
        waits=[made[name] - applied[name] for name in applied],
        total=last - min(applied.values()),
        writes=Counter(write.resource for write in writes if write.user == USER),
    )


def _examples(plane: ControlPlane, namespace: str) -> dict[str, Object]:
    """What the operator has written of one run, for a client that is to write as much."""
    run = plane.admin.list(TRAINING_RUNS.plural, namespace)[0]
    events = plane.admin.list(EVENTS.plural, namespace)
    return {"status": run["status"], "event": events[0] if events else {}}


async def _clear(plane: ControlPlane, namespace: str) -> None:
    async with admin_client(plane) as admin:
        for resource in (TRAINING_RUNS, RAY_JOBS, EVENTS):
            await admin.send("DELETE", resource.path(namespace))


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]
