"""What Kueue says of a run that it holds back is asked for, shown, and never needed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import virtual_time
from answering import NAMESPACE, Connection, child_body, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.engine.reconcile import Reconciler
from trainingrun.kube import Api, Transient
from trainingrun.kube.transport import Request, Response
from trainingrun.naming import ray_job_name
from trainingrun.observed import queue_message_of

KEY = Key(NAMESPACE, "mnist")
NOW = datetime(2026, 9, 1, tzinfo=UTC)
WORKLOADS = f"/apis/kueue.x-k8s.io/v1beta2/namespaces/{NAMESPACE}/workloads"


def workload(created: int = 1, **conditions: tuple[str, str]) -> dict[str, Any]:
    """A Workload with these conditions: each one's status and message."""
    listed = [{"type": kind, "status": status, "message": words} for kind, (status, words) in conditions.items()]
    metadata = {"creationTimestamp": f"2026-09-01T00:00:{created:02}Z"}
    return {"metadata": metadata, "status": {"conditions": listed}}


@pytest.mark.parametrize(
    ("workloads", "message"),
    [
        ([], None),
        ([{"metadata": {}}], None),
        ([workload()], None),
        ([workload(QuotaReserved=("False", "no room"))], "no room"),
        ([workload(QuotaReserved=("True", "room"), Admitted=("False", "a check is pending"))], "a check is pending"),
        ([workload(QuotaReserved=("True", "room"), Admitted=("True", "in"))], None),
        ([workload(QuotaReserved=("False", "no room"), Evicted=("True", "for another"))], "no room"),
        ([workload(2, QuotaReserved=("False", "new")), workload(1, QuotaReserved=("False", "old"))], "new"),
    ],
)
def test_the_newest_workloads_condition_that_is_not_met_says_why(workloads: list[Any], message: str | None) -> None:
    assert queue_message_of(workloads) == message


class Bench:
    """A run whose RayJob is suspended, and an API server that answers `answer` when it is asked for Workloads."""

    def __init__(self, answer: Response | Exception):
        self.answer, self.now = answer, NOW
        self.connection, self.cache = Connection(), Cache()
        self.connection.meddle = self.meddle
        server = self.connection.server
        run = server.create("trainingruns", NAMESPACE, run_body())
        uid = str(run["metadata"]["uid"])
        body = child_body(ray_job_name("mnist", uid, 0), owner=uid)
        body["metadata"]["labels"]["trainingrun.dev/run-uid"] = uid
        job = server.create("rayjobs", NAMESPACE, {**body, "spec": {"suspend": True}})
        self.job_uid, self.created = job["metadata"]["uid"], job["metadata"]["creationTimestamp"]
        metadata = {**run["metadata"], "labels": {"kueue.x-k8s.io/queue-name": "ml"}}
        self.cache.put("TrainingRun", server.update("trainingruns", run, metadata=metadata))
        self.cache.put("RayJob", job)

    def meddle(self, request: Request) -> Response | None:
        if request.path != WORKLOADS:
            return None
        assert request.query["labelSelector"] == f"kueue.x-k8s.io/job-uid={self.job_uid}"
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def message(self) -> str:
        """What the run says after it has been looked at twice, as it is after a change."""
        api: Any = Api(self.connection)
        nobody: Any = None
        events: Any = type("Events", (), {"post": lambda *_: None})()
        reconciler = Reconciler(api, self.cache, nobody, events, lambda: self.now)
        await reconciler.reconcile(KEY)
        await reconciler.reconcile(KEY)
        run = self.cache.run(KEY)
        assert run is not None
        (found,) = (entry for entry in run.status["conditions"] if entry["type"] == "Admitted")
        return str(found["message"])

    @property
    def questions(self) -> int:
        return self.connection.paths("GET").count(WORKLOADS)


def listed(*workloads: dict[str, Any]) -> Response:
    return Response(200, {}, json.dumps({"items": workloads, "metadata": {"resourceVersion": "9"}}).encode())


def test_the_message_is_kueues_and_is_asked_for_once_in_a_while() -> None:
    async def main() -> None:
        bench = Bench(listed(workload(QuotaReserved=("False", "no room for cpu"))))
        assert (await bench.message()).endswith('queue "ml": no room for cpu')
        assert bench.questions == 1
        bench.now, bench.answer = NOW + timedelta(seconds=61), listed(workload(QuotaReserved=("False", "soon")))
        assert (await bench.message()).endswith('queue "ml": soon')
        assert bench.questions == 2
        bench.now, bench.answer = NOW + timedelta(seconds=122), Transient("the connection was lost")
        assert (await bench.message()).endswith('queue "ml": soon')
        bench.now, bench.answer = NOW + timedelta(seconds=183), Response(404, {}, b"{}")
        assert (await bench.message()).endswith('queue "ml".')

    virtual_time.run(main())


def test_a_rayjob_that_kueue_never_heard_of_is_told_when_it_should_have() -> None:
    async def main() -> None:
        bench = Bench(listed())
        created = datetime.fromisoformat(bench.created)
        for age, words in ((0, 'queue "ml".'), (61, "does it manage the jobs of this namespace?")):
            bench.now = created + timedelta(seconds=age)
            assert (await bench.message()).endswith(words)

    virtual_time.run(main())


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, {}, b"{}"),
        Response(403, {}, b"{}"),
        Response(500, {}, b"{}"),
        Response(200, {}, b"<html>"),
        Transient("the connection was lost"),
    ],
    ids=str,
)
def test_without_an_answer_the_run_says_that_it_waits(answer: Response | Exception) -> None:
    async def main() -> None:
        bench = Bench(answer)
        assert (await bench.message()).endswith('is waiting to be admitted by queue "ml".')
        assert bench.questions == 1

    virtual_time.run(main())
