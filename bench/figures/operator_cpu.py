"""What looking at a run costs when nothing has changed, and our API client against aiohttp with nothing around it.

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
from trainingrun.engine.create_attempt import Attempts
from trainingrun.engine.events import EventPoster
from trainingrun.engine.reconcile import Reconciler
from trainingrun.engine.reconcile import Result as Look
from trainingrun.kube import Api, KubernetesTransport, load_configuration
from trainingrun.kube.resources import TRAINING_RUNS, WATCHED
from trainingrun.lifecycle.new_status import written_part
from trainingrun.render import RenderSettings

_RUNS, _REQUESTS = 500, 1000
_QUICK_RUNS, _QUICK_REQUESTS = 20, 40


def measure(rounds: int, workspace: Workspace) -> Result:
    """Rounds of looks, of our client and of the plain one, in turns."""
    runs, requests = (_QUICK_RUNS, _QUICK_REQUESTS) if workspace.is_quick else (_RUNS, _REQUESTS)
    with control_plane(workspace.folder / "cpu") as plane:
        namespace = make_namespace(plane, "cpu")
        asyncio.run(_fill(plane, namespace, runs))
        with running_operator(plane, runs):
            pass
        looks, ours, plain = asyncio.run(_measure(plane, namespace, rounds, requests))
    shares = [mine / other for mine, other in zip(ours, plain, strict=True)]
    measures = [
        Measure("operator_look_cpu", "CPU of a look at a run that finds nothing changed", "ms", looks),
        Measure("operator_client_cpu", "CPU of a request through our API client", "x aiohttp", shares),
    ]
    return Result("operator_cpu", measures, {"clientMs": ours, "aiohttpMs": plain})


async def _fill(plane: ControlPlane, namespace: str, runs: int) -> None:
    async with admin_client(plane) as admin:
        await write_training_runs(admin, namespace, run_names(0, runs))


async def _measure(
    plane: ControlPlane, namespace: str, rounds: int, requests: int
) -> tuple[list[float], list[float], list[float]]:
    bodies = {resource.kind: plane.admin.list(resource.plural, namespace) for resource in WATCHED}
    runs = bodies[TRAINING_RUNS.kind]
    work = [runs[number % len(runs)] for number in range(requests)]
    api = Api(KubernetesTransport(await load_configuration(str(operator_kubeconfig(plane)))))
    looks, ours, plain = [], [], []
    try:
        async with operator_client(plane) as client:
            # The connections of both are made before anything counts.
            await each(work, lambda run: _apply(api, run))
            await each(work, lambda run: _apply_plainly(client, run))
            for _ in range(rounds):
                looks.append(await _look(bodies))
                ours.append(await _cpu_ms(work, lambda run: _apply(api, run)))
                plain.append(await _cpu_ms(work, lambda run: _apply_plainly(client, run)))
    finally:
        await api.close()
    return looks, ours, plain


async def _look(bodies: dict[str, list[Object]]) -> float:
    """CPU milliseconds of one look, from a cache that has just been filled."""
    cache = Cache()
    for resource in WATCHED:
        for body in bodies[resource.kind]:
            cache.put(resource.kind, body)
    # It shall not write; if it did, the missing API would say so.
    nowhere = cast(Api, None)
    reconciler = Reconciler(
        nowhere, cache, Attempts(nowhere, cache, RenderSettings()), EventPoster(nowhere, now, ""), now
    )
    keys = list(cache.keys())
    before = time.process_time()
    outcomes = [await reconciler.reconcile(key) for key in keys]
    seconds = time.process_time() - before
    assert {outcome.result for outcome in outcomes} == {Look.UNCHANGED}
    return 1000 * seconds / len(keys)


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
