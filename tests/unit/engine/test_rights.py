"""What the operator asks of the API server in rare moments is among its rights too, which no usual day would show."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import virtual_time
import yaml
from answering import NAMESPACE, Connection, child_body, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.create_attempt import AttemptCreator
from trainingrun.engine.events import EventPoster
from trainingrun.engine.keys import Key
from trainingrun.engine.reconcile import Reconciler
from trainingrun.kube import Api, Conflict
from trainingrun.kube.transport import Request
from trainingrun.naming import object_labels, ray_job_name
from trainingrun.render import RenderSettings

ROLE = Path(__file__).parents[3] / "manifests" / "base" / "rbac" / "role.yaml"
NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
_VERBS = {"POST": "create", "DELETE": "delete", "PATCH": "patch"}


def rights() -> set[tuple[str, str]]:
    """Every (verb, resource) that the operator's role grants."""
    rules = yaml.safe_load(ROLE.read_text())["rules"]
    return {(verb, resource) for rule in rules for verb in rule["verbs"] for resource in rule["resources"]}


def right(request: Request) -> tuple[str, str]:
    """What a request needs."""
    parts = request.path.partition("/namespaces/")[2].split("/")[1:]
    resource = "/".join(parts[::2])
    return ("get" if len(parts) > 1 else "list") if request.method == "GET" else _VERBS[request.method], resource


@pytest.mark.parametrize("plural", ["rayjobs", "rayclusters"])
def test_an_object_that_changed_before_it_is_deleted_is_looked_at_with_the_rights_that_there_are(plural: str) -> None:
    async def main() -> None:
        connection = Connection()
        server, cache, api = connection.server, Cache(), Api(connection)
        run = server.create("trainingruns", NAMESPACE, run_body())
        uid = run["metadata"]["uid"]
        ended = {"index": 0, "outcome": "Failed", "failureClass": "Infrastructure", "retryTime": "2026-09-01T12:05:00Z"}
        server.update("trainingruns", run, status={"attempts": [ended], "observedGeneration": 1})
        cache.put("TrainingRun", server.find("trainingruns", NAMESPACE, "mnist"))
        kind = {"rayjobs": "RayJob", "rayclusters": "RayCluster"}[plural]
        name = ray_job_name("mnist", uid, 0)
        seen = cache.run(Key(NAMESPACE, "mnist"))
        assert seen is not None
        left = child_body(name, run_uid=uid, owner=uid)
        left["metadata"]["labels"] = object_labels(seen, 0)
        left = {**server.create(plural, NAMESPACE, left), "kind": kind}
        cache.put(kind, left)
        server.update(plural, left, status={"reason": "changed"})
        creator = AttemptCreator(api, cache, RenderSettings)
        reconciler = Reconciler(api, cache, creator, EventPoster(api, lambda: NOW, "test"), lambda: NOW)
        with pytest.raises(Conflict):
            await reconciler.reconcile(Key(NAMESPACE, "mnist"))
        asked = {right(request) for _, request in connection.sent}
        assert ("delete", plural) in asked and asked <= rights()
        await reconciler.reconcile(Key(NAMESPACE, "mnist"))
        assert server.find(plural, NAMESPACE, name) is None

    virtual_time.run(main())


def test_the_role_is_read_as_it_is_written() -> None:
    found: Any = rights()
    assert ("create", "rayjobs") in found and ("patch", "trainingruns/status") in found and ("get", "pods") in found
