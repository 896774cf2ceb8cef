"""What a reconcile costs, without a change and with a status to write, and our API client against plain aiohttp.

Both are measured in this process, with the objects of a real API server and nothing else that runs meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from bench.control_plane.client import APPLY, Object, PlainClient, each
from bench.control_plane.measured_operator import running_operator
from bench.control_plane.plane import (
    ControlPlane,
    admin_client,
    control_plane,
    make_namespace,
    operator_client,
    operator_kubeconfig,
)
from bench.control_plane.runs import run_names, write_training_runs
from bench.result import Measure, Result
from bench.workspace import Workspace
from trainingrun.contract.labels import FIELD_MANAGER
from trainingrun.engine.assembly import now
from trainingrun.engine.cache import Cache
from trainingrun.engine.create_attempt import AttemptCreator
from trainingrun.engine.events import EventPoster
from trainingrun.engine.reconcile import Reconciler
from trainingrun.engine.reconcile import Result as Outcome
from trainingrun.kube import Api, KubernetesTransport, load_configuration
from trainingrun.kube.resources import TRAINING_RUNS, WATCHED
from trainingrun.lifecycle.new_status import written_part
from trainingrun.render import RenderSettings

_RUNS, _REQUESTS = 500, 1000
_QUICK_RUNS, _QUICK_REQUESTS = 20, 40


def measure(rounds: int, workspace: Workspace) -> Result:
    """Rounds of reconciles of both kinds, of our client and of the plain one, in turns."""
    runs, requests = (_QUICK_RUNS, _QUICK_REQUESTS) if workspace.is_quick else (_RUNS, _REQUESTS)
    with control_plane(workspace.folder / "cpu") as plane:
        namespace = make_namespace(plane, "cpu")
        asyncio.run(_fill(plane, namespace, runs))
        with running_operator(plane, runs):
            pass
        quiet, writing, ours, plain = asyncio.run(_measure(plane, namespace, rounds, requests))
    shares = [mine / other for mine, other in zip(ours, plain, strict=True)]
    measures = [
        Measure("operator_look_cpu", "CPU of a reconcile that finds nothing changed", "ms", quiet),
        Measure("operator_write_cpu", "CPU of a reconcile that has a status to write", "ms", writing),
        Measure("operator_client_cpu", "CPU of a request through our API client", "x aiohttp", shares),
    ]
    return Result("operator_cpu", measures, {"clientMs": ours, "aiohttpMs": plain})


async def _fill(plane: ControlPlane, namespace: str, runs: int) -> None:
    async with admin_client(plane) as admin:
        await write_training_runs(admin, namespace, run_names(0, runs))


async def _measure(
    plane: ControlPlane, namespace: str, rounds: int, requests: int
) -> tuple[list[float], list[float], list[float], list[float]]:
    bodies = {resource.kind: plane.admin.list(resource.plural, namespace) for resource in WATCHED}
    runs = bodies[TRAINING_RUNS.kind]
    work = [runs[number % len(runs)] for number in range(requests)]
    api = Api(KubernetesTransport(await load_configuration(str(operator_kubeconfig(plane)))))
    quiet, writing, ours, plain = [], [], [], []
    try:
        async with operator_client(plane) as client:
            # The connections of both are made before anything counts.
            await each(work, lambda run: _apply(api, run))
            await each(work, lambda run: _apply_plainly(client, run))
            for _ in range(rounds):
                quiet.append(await _reconcile(bodies))
                writing.append(await _reconcile_with_writes(bodies))
                ours.append(await _cpu_ms(work, lambda run: _apply(api, run)))
                plain.append(await _cpu_ms(work, lambda run: _apply_plainly(client, run)))
    finally:
        await api.close()
    return quiet, writing, ours, plain


async def _reconcile(bodies: dict[str, list[Object]]) -> float:
    """CPU milliseconds of a reconcile that changes nothing, from a cache that has just been filled."""
    # It shall not write; if it did, the missing API would say so.
    return await _cpu_of(bodies, cast(Api, None), Outcome.UNCHANGED)


async def _reconcile_with_writes(bodies: dict[str, list[Object]]) -> float:
    """CPU milliseconds of a reconcile that writes a status, up to the API client: each run has a new generation."""
    changed = [_with_next(run, "generation") for run in bodies[TRAINING_RUNS.kind]]
    api = cast(Api, _AcceptingApi(changed))
    return await _cpu_of({**bodies, TRAINING_RUNS.kind: changed}, api, Outcome.WRITTEN)


async def _cpu_of(bodies: dict[str, list[Object]], api: Api, expected: Outcome) -> float:
    cache = Cache()
    for resource in WATCHED:
        for body in bodies[resource.kind]:
            cache.put(resource.kind, body)
    creator = AttemptCreator(api, cache, RenderSettings)
    reconciler = Reconciler(api, cache, creator, EventPoster(api, now, ""), now)
    keys = list(cache.keys())
    before = time.process_time()
    outcomes = [await reconciler.reconcile(key) for key in keys]
    seconds = time.process_time() - before
    assert {outcome.result for outcome in outcomes} == {expected}
    return 1000 * seconds / len(keys)


class _AcceptingApi:
    """Takes every status, and answers as the API server would."""

    def __init__(self, runs: list[Object]):
        self._answers = {run["metadata"]["name"]: _with_next(run, "resourceVersion") for run in runs}

    async def apply_status(self, _: object, namespace: str, name: str, status: Object, **options: object) -> Object:
        return {**self._answers[name], "status": status}


def _with_next(run: Object, counter: str) -> Object:
    """The run with the next number in this field of its metadata."""
    value = run["metadata"][counter]
    return {**run, "metadata": {**run["metadata"], counter: type(value)(int(value) + 1)}}


async def _cpu_ms(work: list[Object], send: Callable[[Object], Awaitable[Any]]) -> float:
    before = time.process_time()
    await each(work, send)
    return 1000 * (time.process_time() - before) / len(work)


async def _apply(api: Api, run: Object) -> None:
    """Write a run's status as it is, which changes nothing."""
    metadata = run["metadata"]
    names = metadata["namespace"], metadata["name"]
    status = written_part(run["status"])
    await api.apply_status(TRAINING_RUNS, *names, status, manager=FIELD_MANAGER, uid=metadata["uid"])


async def _apply_plainly(client: PlainClient, run: Object) -> None:
    names = {key: run["metadata"][key] for key in ("name", "namespace", "uid")}
    status = written_part(run["status"])
    body = {
        "apiVersion": TRAINING_RUNS.api_version,
        "kind": TRAINING_RUNS.kind,
        "metadata": names,
        "status": status,
    }
    path = TRAINING_RUNS.path(names["namespace"], names["name"], "status")
    await client.send("PATCH", f"{path}?fieldManager={FIELD_MANAGER}&force=true", body, APPLY)
