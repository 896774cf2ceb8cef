"""`logs`: the driver's lines from Ray, the pods' from the kubelet, of the attempt that is meant."""

from __future__ import annotations

import json

import pytest
from api_double import ApiDouble, Fault, Request, forbidden
from cluster_objects import TOKEN, pod, run
from command_line import Run
from log_objects import dashboard, live_run, spoken

from trainingrun.contract.records import AttemptEnded


@pytest.fixture(autouse=True)
def _live(double: ApiDouble) -> None:
    live_run(double)


def test_the_driver_comes_first_and_then_the_pods_of_the_live_attempt(cli: Run, double: ApiDouble) -> None:
    result = cli("logs", "mnist")
    assert result.exit_code == 0
    assert spoken(result.stdout) == [
        ("driver", "epoch 0"),
        ("driver", "epoch 1"),
        ("head/x7k2p", "head of attempt 1"),
        ("data/x7k2p", "data of attempt 1"),
        ("trainer/x7k2p", "trainer of attempt 1"),
    ]
    assert len({line.index("|") for line in result.stdout.splitlines()}) == 1
    (stream,) = double.named("GET", "/api/v0/logs/")
    service = "/api/v1/namespaces/training/services/mnist-ck4to-1-head-svc:8265/proxy"
    assert stream.path == f"{service}/api/v0/logs/file"
    assert stream.query == {"node_id": "n1", "submission_id": "job-1", "lines": "-1"}


def test_an_earlier_attempt_and_a_part_may_be_asked_for(cli: Run, double: ApiDouble) -> None:
    result = cli("logs", "mnist", "--attempt", "0", "--group", "driver", "--group", "data", "--tail", "1")
    assert spoken(result.stdout) == [("driver", "epoch 1"), ("data/x7k2p", "data of attempt 0")]
    assert double.named("GET", "/log")[-1].query["tailLines"] == "1"
    missing = cli("logs", "mnist", "--attempt", "7")
    assert (missing.exit_code, missing.stderr) == (4, "Error: mnist has no attempt 7; known attempts: 0, 1.\n")


def test_the_driver_alone_has_no_labels(cli: Run) -> None:
    assert cli("logs", "mnist", "--group", "driver").stdout == "epoch 0\nepoch 1\n"


def test_the_token_of_the_ray_cluster_goes_to_ray_and_not_into_the_address(cli: Run, double: ApiDouble) -> None:
    cli("logs", "mnist", "--group", "driver")
    for request in double.named("GET", "/services/"):
        assert request.headers["Authorization"] == "Bearer of-ann"
        assert TOKEN not in request.path + json.dumps(request.query)


def test_records_of_progress_are_told_as_sentences_unless_raw_is_asked_for(cli: Run, double: ApiDouble) -> None:
    record = AttemptEnded(
        time=1.0, attempt=1, outcome="Complete", exit_code=0, message="", seconds=2.0
    ).to_json()  # fmt: skip
    double.dashboard = dashboard(record, '{"no": "record"}')
    told, other = cli("logs", "mnist", "--group", "driver").stdout.splitlines()
    assert "{" not in told
    assert other == '{"no": "record"}'
    assert cli("logs", "mnist", "--group", "driver", "--raw").stdout.splitlines()[0] == record


def test_a_run_without_an_attempt_says_where_to_look(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Queued"))
    result = cli("logs", "mnist")
    assert result.exit_code == 4
    assert result.stderr == (
        "Error: mnist has no attempt yet (Queued); trainingrun status mnist -n training says why.\n"
    )  # fmt: skip


def test_an_attempt_whose_pods_are_gone_is_remembered_by_its_last_words(cli: Run, double: ApiDouble) -> None:
    for key in [key for key in double.objects if key[0] == "pods"]:
        del double.objects[key]
    result = cli("logs", "mnist", "--attempt", "0")
    assert result.exit_code == 1
    assert "Attempt 0 of mnist (Failed) has no logs that can be read now" in result.stderr
    assert "Its last message: The node was lost." in result.stderr


def test_one_source_that_cannot_be_read_does_not_hide_the_others(cli: Run, double: ApiDouble) -> None:
    double.faults = [Fault("GET", "/secrets/", 403, forbidden("get", "secrets"))]
    result = cli("logs", "mnist")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    assert 'driver: secrets is forbidden: User "ann" cannot get resource "secrets"' in result.stderr
    assert "kubectl exec -n training mnist-ck4to-1-head-x7k2p -c ray-head --" in result.stderr


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((503, "no endpoints available for service"), "driver: 503: no endpoints available"),
        ((500, "Traceback: KeyError"), "driver: Ray is not ready yet: Traceback"),
        ((401, "Unauthorized: Invalid token"), "driver: Ray does not accept the token: Unauthorized"),
        ((200, json.dumps({"driver_node_id": None})), "driver: its driver has not started yet"),
    ],
    ids=["head-starts", "ray-starts", "token", "driver-starts"],
)
def test_what_ray_answers_is_told(cli: Run, double: ApiDouble, answer, words) -> None:
    double.dashboard = lambda request: answer
    result = cli("logs", "mnist")
    assert result.exit_code == 0
    assert words in result.stderr
    assert len(result.stdout.splitlines()) == 3


def test_a_cluster_without_tokens_is_asked_without_one(cli: Run, double: ApiDouble) -> None:
    head = pod("head", index=1)
    del head["spec"]["containers"][0]["env"]
    double.put("pods", head)
    seen: list[str | None] = []

    def answer(request: Request) -> tuple[int, str]:
        seen.append(request.headers.get("X-Ray-Authorization"))
        return (200, json.dumps({"driver_node_id": "n"})) if "jobs" in request.path else (200, "hello\n")

    double.dashboard = answer
    assert cli("logs", "mnist", "--group", "driver").stdout == "hello\n"
    assert seen == [None, None]
    assert double.named("GET", "/secrets/") == []
