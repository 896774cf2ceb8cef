"""docs/cli.md: each sample is what the command prints, and its tables are what the code does.

After a change that is meant, write the samples anew and read their difference:

    TRAININGRUN_UPDATE_GOLDEN=1 .venv/bin/pytest tests/cli/test_cli_document.py
"""

from __future__ import annotations

import json
import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
import stored_checkpoints
from api_double import KINDS, ApiDouble, Fault, Request, forbidden
from cluster_objects import attempt, pod, ray_job, run, token_secret
from command_line import Run

from trainingrun.cli import cluster
from trainingrun.client import problems
from trainingrun.contract.exits import Exit, exit_of
from trainingrun.contract.failure_class import FailureClass

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "cli.md"
_SAMPLE = re.compile(r"^```console\n\$ (trainingrun .*)\n((?:.*\n)*?)```$", re.MULTILINE)
SAMPLES = dict(_SAMPLE.findall(DOCUMENT.read_text()))
CHECKPOINT = "step-46880-e9"
METRICS = {
    "currentEpoch": 10, "totalEpochs": 30, "step": 51230, "loss": 0.2347,
    "rowsPerSecond": 12400, "goodputPercentage": 93,
    "dataStallPercentage": 12.3, "dataStallProductionPercentage": 9.1, "dataStallTransferPercentage": 2.1,
    "dataStallCollatePercentage": 1.1,
}  # fmt: skip

LAST = [{"name": "loss", "value": "0.2401"}]


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def mnist() -> dict[str, Any]:
    first = attempt(
        0, "Failed", failureClass="Infrastructure", exitCode=14, node="gpu-7", message="The node gpu-7 was lost.",
        startTime=ago(minutes=250), endTime=ago(minutes=150),
    )  # fmt: skip
    second = attempt(1, startTime=ago(minutes=148), resumedFrom=CHECKPOINT)
    metrics = [{"name": name, "value": str(value)} for name, value in METRICS.items()]
    body = run(
        "mnist", "Running", "PodsReady",
        pods="5/5",
        failures=1,
        startTime=ago(minutes=250),
        attempts=[first, second],
        trainerStatus={"progressPercentage": 34, "estimatedRemainingSeconds": 17400, "metrics": metrics},
        dataStatus={"readyNodes": 2, "stallPercentage": 12},
        outputs={"last": {"uri": f"s3://acme/runs/mnist/{CHECKPOINT}", "step": 46880, "metrics": LAST}},
    )  # fmt: skip
    body["metadata"]["creationTimestamp"] = ago(minutes=252)
    body["status"]["conditions"][0]["message"] = "5 of 5 pods are ready."
    body["spec"] |= {"trainer": {"numNodes": 2}, "data": {"numNodes": 2}, "storage": {"uri": "s3://acme/runs"}}
    return body


def complete() -> dict[str, Any]:
    body = run("mnist", "Complete", "Complete")
    body["status"]["conditions"][0]["message"] = "Training completed in attempt 1."
    return body


@pytest.fixture(autouse=True)
def _cluster(double: ApiDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    double.put("trainingruns", mnist())
    other = run("flowers", "Complete", "Complete", attempts=[attempt(0, "Complete")])
    other["status"]["trainerStatus"] = {"progressPercentage": 100}
    other["metadata"]["creationTimestamp"] = ago(days=2, hours=5)
    double.put("trainingruns", other)
    double.put("rayjobs", ray_job(1, "job-1"))
    double.put("secrets", token_secret(1))
    for group in ("head", "data", "trainer"):
        body = double.put("pods", pod(group, index=1))
        double.logs[body["metadata"]["name"]] = ["Ray runtime started."]
    double.watches = [[("MODIFIED", complete())]]
    double.dashboard = lambda request: (
        (200, json.dumps({"driver_node_id": "n"})) if "/api/jobs/" in request.path else (200, "epoch 9: loss 0.2347\n")
    )


def prepare(command: str, double: ApiDouble) -> None:
    """What has happened before the command, beyond a run that trains."""
    if command == "submit":
        double.objects.clear()
    if command == "resume":
        body = mnist()
        body["spec"]["suspend"] = True
        double.put("trainingruns", body)
    if command in ("download", "upload"):
        double.put("trainingruns", stored_checkpoints.mnist())
        double.started = lambda body: {"phase": "Failed"}
    if command == "delete":
        _end_pods_of_deleted_runs(double)


def _end_pods_of_deleted_runs(double: ApiDouble) -> None:
    def collect(request: Request) -> None:
        if len(double.named("GET", "rayclusters")) == 2:
            for key in [key for key in double.objects if key[0] in ("rayjobs", "pods")]:
                del double.objects[key]

    double.before = collect


@pytest.mark.parametrize("line", SAMPLES)
def test_a_sample_is_what_the_command_prints(cli: Run, double: ApiDouble, line: str) -> None:
    arguments = shlex.split(line)[1:]
    prepare(arguments[0], double)
    result = cli(*arguments)
    assert result.exit_code == 0
    if os.environ.get("TRAININGRUN_UPDATE_GOLDEN"):
        text = DOCUMENT.read_text()
        start = text.index(f"$ {line}\n") + len(f"$ {line}\n")
        DOCUMENT.write_text(text[:start] + result.output + text[text.index("```", start) :])
    assert result.output == dict(_SAMPLE.findall(DOCUMENT.read_text()))[line]


def rows(first_heading: str) -> list[list[str]]:
    table = DOCUMENT.read_text().split(f"| {first_heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in table.splitlines()[2:]]


def test_the_exit_codes_are_those_of_the_program() -> None:
    codes = {value for name, value in vars(problems).items() if name.isupper() and isinstance(value, int)}
    codes |= {*Exit, click.UsageError.exit_code, cluster._INTERRUPTED}
    assert {int(code) for code, _ in rows("Code")} == codes


def test_every_class_of_failure_is_an_exit_code_that_is_in_the_document() -> None:
    assert {int(exit_of(failure)) for failure in FailureClass} == set(Exit) - {Exit.COMPLETE, Exit.ABORTED}


VERBS = {"GET": "get", "PATCH": "patch", "DELETE": "delete", "POST": "create"}


LINES = (
    "get",
    "get -w",
    "describe mnist",
    "top",
    "status mnist",
    "status mnist -w",
    "wait mnist",
    "submit -f manifests/samples/minimal.yaml",
    "suspend mnist",
    "resume mnist",
    "delete mnist --wait",
    "logs mnist",
    "download mnist",
    "upload tests/cli models",
)


@pytest.mark.parametrize("line", LINES)
def test_no_command_needs_a_permission_that_is_not_listed(cli: Run, double: ApiDouble, line: str) -> None:
    arguments = line.split()
    prepare(arguments[0], double)
    if line == "get -w":
        refused = Fault("GET", "trainingruns", 403, forbidden("list", "trainingruns"))
        double.before = lambda request: double.faults.extend([refused] * (len(double.requests) == 2))
    elif arguments[-1] == "-w":
        double.before = lambda request: request.query.get("watch") and double.objects.clear()
    cli(*arguments)
    (listed,) = [words for commands, words in rows("Command") if f"`{arguments[0]}`" in commands]
    for request in double.requests:
        verb, resource = _permission(request)
        assert re.search(rf"\b{verb}\b", listed), verb
        assert resource in listed


def _permission(request: Request) -> tuple[str, str]:
    if "/services/" in request.path:
        return "get", "services/proxy"
    if request.path.endswith("/log"):
        return "get", "pods/log"
    plural = next(name for name in KINDS if name in request.path.split("/"))
    if request.query.get("watch"):
        return "watch", plural
    is_list = request.method == "GET" and request.path.endswith(f"/{plural}")
    return "list" if is_list else VERBS[request.method], plural
