"""The operator waits until it can watch every kind: until each is served, and named by discovery as well."""

from __future__ import annotations

import asyncio

import discovery
import orjson
import pytest
import virtual_time
from answering import Connection

from trainingrun.engine.discovery import Kinds
from trainingrun.kube import Api, Resource
from trainingrun.kube.resources import RAY_CLUSTERS, RAY_JOBS, WATCHED
from trainingrun.kube.transport import Request, Response

# Longer than the longest pause between two looks.
_LATER = 60.0


@pytest.mark.parametrize(
    ("late", "missed"),
    [
        ([RAY_JOBS], "rayjobs.ray.io (ray.io/v1)"),
        ([RAY_CLUSTERS], "rayclusters.ray.io (ray.io/v1)"),
        ([RAY_JOBS, RAY_CLUSTERS], "rayjobs.ray.io (ray.io/v1)"),
    ],
    ids=["one kind", "another kind", "the whole group"],
)
def test_a_kind_that_is_served_is_waited_for_until_discovery_names_it(late: list[Resource], missed: str) -> None:
    async def main() -> None:
        connection, unknown = Connection(), set(late)

        def lag(request: Request) -> Response | None:
            document = discovery.document(request.path, [kind for kind in WATCHED if kind not in unknown])
            return Response(200, {}, orjson.dumps(document)) if document is not None else None

        connection.meddle = lag
        kinds = Kinds(Api(connection), (None,))
        waiting = asyncio.create_task(kinds.wait())
        await asyncio.sleep(_LATER)
        assert not waiting.done()
        assert kinds.problem == f"{missed} is not in the API server's discovery yet"
        unknown.clear()
        await asyncio.wait_for(waiting, _LATER)
        assert kinds.problem is None

    virtual_time.run(main())


def test_kinds_that_are_there_are_not_waited_for() -> None:
    async def main() -> float:
        await Kinds(Api(Connection()), (None, "training")).wait()
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) < 2.0
