"""Who may report progress, and what is answered to everybody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from answering import NAMESPACE, Connection, child_body, run_body
from made_tokens import bound_to, token
from seen_objects import NOW, at

from trainingrun.contract.progress_protocol import MAX_BYTES
from trainingrun.engine.cache import Cache
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.progress import writer
from trainingrun.engine.progress.callers import Callers
from trainingrun.engine.progress.endpoint import ProgressEndpoint
from trainingrun.engine.progress.tokens import TokenReviewer
from trainingrun.engine.progress.writer import ProgressWriter
from trainingrun.kube import Api
from trainingrun.kube.transport import Request, Response

AUDIENCE = "trainingrun.dev"
GOOD, BAD = (token(signature, **bound_to(NAMESPACE, "pod", "uid-pod")) for signature in ("good", "bad"))
PATH = f"/apis/v1beta1/namespaces/{NAMESPACE}/trainingruns/mnist/status"
REPORT = {"trainerStatus": {"progressPercentage": 4}}


def review(pod: str = "pod", uid: str = "uid-pod", **changes: Any) -> dict[str, Any]:
    extra = {"authentication.kubernetes.io/pod-name": [pod], "authentication.kubernetes.io/pod-uid": [uid]}
    user = {"username": f"system:serviceaccount:{NAMESPACE}:default", "extra": extra}
    return {"authenticated": True, "audiences": [AUDIENCE], "user": user, **changes}


def status(code: int, reason: str) -> Response:
    return Response(code, {}, json.dumps({"kind": "Status", "reason": reason, "message": reason}).encode())


class Cluster:
    """What the API server answers: who a token is, what pods and runs there are, and to a write of status."""

    def __init__(self) -> None:
        self.reviews: dict[str, dict[str, Any]] = {GOOD: review()}
        self.objects: dict[str, dict[str, Any]] = {
            f"/api/v1/namespaces/{NAMESPACE}/pods/pod": child_body("pod"),
            f"/apis/trainingrun.dev/v1beta1/namespaces/{NAMESPACE}/trainingruns/mnist": run_body(),
        }
        self.write = Response(200, {}, b"{}")
        self.connection = Connection()
        self.connection.meddle = self.answer
        self.written: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Response:
        if request.path.endswith("/tokenreviews"):
            spec = dict(request.body or {})["spec"]
            assert spec["audiences"] == [AUDIENCE]
            found = {"status": self.reviews.get(spec["token"], {"authenticated": False})}
            return Response(201, {}, json.dumps(found).encode())
        if request.method == "PATCH":
            if self.write.status == 200:
                self.written.append(dict(request.body or {}))
            return self.write
        found = self.objects.get(request.path)
        return Response(200, {}, json.dumps(found).encode()) if found else status(404, "NotFound")


Script = Callable[[TestClient[Any, Any], Cluster, Cache], Awaitable[Any]]


def serve(script: Script) -> tuple[Any, Metrics]:
    async def main() -> tuple[Any, Metrics]:
        cluster, cache, metrics = Cluster(), Cache(), Metrics()
        api = Api(cluster.connection)
        callers, writer = Callers(), ProgressWriter(api, cache, lambda: NOW)
        reviewer = TokenReviewer(api, AUDIENCE, callers, cache.pod, lambda: NOW)
        moments = iter(range(100))

        def virtual_now() -> datetime:
            return at(next(moments))

        endpoint = ProgressEndpoint(api, cache, callers, reviewer, writer, metrics, virtual_now)
        async with TestClient(TestServer(endpoint.application())) as client:
            return await script(client, cluster, cache), metrics

    return asyncio.run(main())


async def post(
    client: TestClient[Any, Any], report: Any = REPORT, *, token: str | None = GOOD, path: str = PATH
) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    data = report if isinstance(report, bytes) else json.dumps(report).encode()
    async with client.post(path, data=data, headers=headers) as answer:
        return answer.status, str((await answer.json())["message"])


def answer_to(prepare: Callable[[Cluster, Cache], None] = lambda cluster, cache: None, **request: Any) -> int:
    async def script(client: TestClient[Any, Any], cluster: Cluster, cache: Cache) -> int:
        prepare(cluster, cache)
        answered, sentence = await post(client, **request)
        assert sentence.endswith(".")
        assert (answered == 200) == bool(cluster.written)
        return answered

    answered, metrics = serve(script)
    assert metrics.registry.get_sample_value("trainingrun_progress_reports_total", {"code": str(answered)}) == 1
    return int(answered)


def put_run(**status: Any) -> Callable[[Cluster, Cache], None]:
    def prepare(cluster: Cluster, cache: Cache) -> None:
        cache.put("TrainingRun", run_body(**status))
        cache.put("Pod", child_body("pod"))

    return prepare


def put_review(**changes: Any) -> Callable[[Cluster, Cache], None]:
    return lambda cluster, cache: cluster.reviews.update({GOOD: review(**changes)})


def put_pod(body: dict[str, Any]) -> Callable[[Cluster, Cache], None]:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/pod"
    return lambda cluster, cache: cluster.objects.update({path: body})


def all_gone(cluster: Cluster, cache: Cache) -> None:
    cluster.objects.clear()


def put_write(answer: Response) -> Callable[[Cluster, Cache], None]:
    return lambda cluster, cache: setattr(cluster, "write", answer)


def being_deleted(cluster: Cluster, cache: Cache) -> None:
    body = run_body()
    body["metadata"]["deletionTimestamp"] = "2026-09-01T12:00:00Z"
    cache.put("TrainingRun", body)


def replaced(cluster: Cluster, cache: Cache) -> None:
    cache.put("TrainingRun", run_body())
    cluster.write = status(409, "Conflict")
    cluster.objects.update({path: run_body(uid="run-2") for path in cluster.objects if path.endswith("/mnist")})


UNLABELLED = child_body("pod")
UNLABELLED["metadata"]["labels"].pop("app.kubernetes.io/managed-by")
REPLACED = child_body("pod")
REPLACED["metadata"]["uid"] = "another"
ELSEWHERE = {"username": "system:serviceaccount:elsewhere:default"}


@pytest.mark.parametrize("prepare", [put_run(), lambda cluster, cache: None], ids=["that leads", "that does not lead"])
def test_a_pod_of_the_run_may_report_to_a_replica(prepare: Callable[[Cluster, Cache], None]) -> None:
    assert answer_to(prepare) == 200


@pytest.mark.parametrize(
    ("what", "prepare", "request_", "expected"),
    [
        ("no token", put_run(), {"token": None}, 401),
        ("a token that is not valid", put_run(), {"token": BAD}, 401),
        ("an empty token", put_run(), {"token": ""}, 401),
        ("a token of another audience", put_review(audiences=["vault"]), {}, 401),
        ("a token of no pod", put_review(user={"username": f"system:serviceaccount:{NAMESPACE}:d"}), {}, 401),
        ("a person's token", put_review(user={**review()["user"], "username": "admin"}), {}, 401),
        ("a pod of another namespace", put_review(user={**review()["user"], **ELSEWHERE}), {}, 403),
        ("a pod that is gone", all_gone, {}, 403),
        ("a pod that nobody made for a run", put_pod(UNLABELLED), {}, 403),
        ("a pod that was replaced", put_pod(REPLACED), {}, 403),
        ("a pod of another run", put_pod(child_body("pod", run_uid="run-2")), {}, 403),
        ("no such run", put_run(), {"path": PATH.replace("mnist", "none")}, 404),
        ("an attempt that is over", put_run(attempts=[{"index": 1}]), {}, 409),
        ("a run that is being deleted", being_deleted, {}, 409),
        ("a run that was replaced", replaced, {}, 409),
        ("no report", put_run(), {"report": b"{}"}, 422),
        ("a report that is too long", put_run(), {"report": b" " * (MAX_BYTES + 1)}, 413),
        ("no API server", put_write(status(503, "ServiceUnavailable")), {}, 503),
    ],
)
def test_everything_else_is_refused_with_a_sentence(
    what: str, prepare: Callable[[Cluster, Cache], None], request_: dict[str, Any], expected: int
) -> None:
    assert answer_to(prepare, **request_) == expected


def test_the_longest_report_is_taken() -> None:
    report = json.dumps(REPORT).encode()
    assert answer_to(put_run(), report=report + b" " * (MAX_BYTES - len(report))) == 200


def test_a_pod_that_reports_too_often_is_told_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProgressWriter, "may_report", lambda writer, uid: False)
    assert answer_to(put_run()) == 429


def test_a_report_that_waits_for_its_turn_is_accepted_and_not_written_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "INTERVAL_SECONDS", 1e6)

    async def script(client: TestClient[Any, Any], cluster: Cluster, cache: Cache) -> None:
        put_run()(cluster, cache)
        answers = [(await post(client, {"trainerStatus": {"progressPercentage": n}}))[0] for n in (1, 2)]
        assert (answers, len(cluster.written)) == ([200, 202], 1)

    serve(script)


def test_nothing_but_the_reported_part_of_status_is_written() -> None:
    async def script(client: TestClient[Any, Any], cluster: Cluster, cache: Cache) -> None:
        put_run()(cluster, cache)
        metrics = [{"name": "dataStallPercentage", "value": "7"}]
        await post(client, {"trainerStatus": {"metrics": metrics}})
        (body,) = cluster.written
        identity = {"name": "mnist", "namespace": NAMESPACE, "uid": "run-1", "resourceVersion": "5"}
        assert body["metadata"] == identity
        assert set(body["status"]) == {"trainerStatus", "dataStatus"}
        assert body["status"]["dataStatus"] == {"stallPercentage": 7}

    serve(script)


def test_since_when_reports_can_arrive_is_known_and_begins_anew_after_each_that_could_not_be_taken() -> None:
    async def script(client: TestClient[Any, Any], cluster: Cluster, cache: Cache) -> None:
        put_run()(cluster, cache)
        assert cache.reports_since == at(0)
        await post(client, b"{}")
        assert cache.reports_since == at(0)
        put_write(status(503, "ServiceUnavailable"))(cluster, cache)
        await post(client)
        assert cache.reports_since == at(1) == cache.observed("run-1").reports_since

    serve(script)
