"""Whatever a document says, the API server refuses it or the operator says what is wrong with it; no other run waits.

The first test asks this of the definition as it is. The second one takes the rules away from it, as in a cluster
whose definition is older than its operator: everything that the API server can store then reaches the operator.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane
from hypothesis import HealthCheck, Phase, given, settings
from operator_process import OperatorProcess
from our_manifests import DEFINITION
from raw_client import Object, RawClient, Refused, path_of
from run_mutations import mutated_runs
from run_strategies import mutated_documents
from training_runs import TrainingRuns

# `make test` takes a sample; 5000 make the 10,000 of a release.
DOCUMENTS = int(os.environ.get("TRAININGRUN_BAD_DOCUMENTS", "250"))
# The API server reads no more of a request, and hangs up.
MOST_BYTES = 3 << 20
# etcd takes less than the API server lets through: the words of etcd, and of the client that does not even send it.
TOO_LARGE = (b"request is too large", b"trying to send message larger than max")


@pytest.fixture
def lax_definition(control_plane: ControlPlane, admin: RawClient) -> Iterator[None]:
    """The definition without anything that is said of a run's spec, as long as the test lasts."""
    strict = yaml.load(DEFINITION.read_text(), yaml.CSafeLoader)
    lax = copy.deepcopy(strict)
    schema = lax["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema.pop("x-kubernetes-validations", None)
    schema.pop("required", None)
    schema["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    probe = {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": {"name": "probe"}}

    def is_lax() -> bool:
        try:
            admin.request("POST", path_of("trainingruns", None, "default"), {**probe, "spec": {"a": 1}}, dryRun="All")
        except Refused:
            return False
        return True

    admin.apply("customresourcedefinitions", lax)
    admin.until(is_lax, "the lax definition")
    yield
    admin.apply("customresourcedefinitions", strict)
    admin.until(lambda: not is_lax(), "the strict definition")


def as_json(document: Any, number: int) -> str | None:
    """What the API server would read, under a name of its own so that it is not refused for that; None for nothing."""
    if isinstance(document, dict) and isinstance(document.get("metadata"), dict):
        document["metadata"]["name"] = f"bad-{number}"
    try:
        text = json.dumps(document, default=str)
    except (TypeError, ValueError):
        # Keys or numbers that JSON does not have.
        return None
    return text if len(text) <= MOST_BYTES else None


def send(runs: TrainingRuns, between: Callable[[], object]) -> None:
    """Create a run from each document. The API server may refuse it, and must not fail."""
    numbers, failures = itertools.count(1), list[bytes]()
    # Unknown fields are dropped, so that what is around them gets through.
    path = f"{path_of('trainingruns', None, runs.namespace)}?fieldValidation=Ignore"

    @settings(
        max_examples=DOCUMENTS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutated_runs() | mutated_documents())
    def send_one(document: Any) -> None:
        number = next(numbers)
        if number == DOCUMENTS // 2:
            between()
        text = as_json(document, number)
        if text is not None:
            status, answer = runs.admin.send_text("POST", path, text)
            if status >= 500 and not any(words in answer for words in TOO_LARGE):
                failures.append(answer[:1000])

    send_one()
    assert failures == []


def is_told_what_is_wrong(run: Object) -> bool:
    status = run.get("status", {})
    if status.get("observedGeneration") != run["metadata"]["generation"]:
        return False
    reasons = {entry["type"]: (entry["status"], entry["reason"]) for entry in status.get("conditions", [])}
    # Documents of one origin may name one folder, which is for one of their runs at a time, and runs that are missing.
    refusals = ("InvalidSpec", "FolderInUse", "InitialCheckpoint")
    refused = reasons.get("Accepted") in {("False", reason) for reason in refusals}
    # What the schema cannot say of pods' overrides, the API server says of the RayJob.
    waiting = reasons.get("PodsReady") in (("False", "QuotaExceeded"), ("False", "RenderRejected"))
    return refused or waiting or reasons.get("Suspended", ("", ""))[0] == "True"


def wait_until_every_run_is_told_what_is_wrong(runs: TrainingRuns) -> None:
    # In pages: together they are larger than the machine's memory.
    def are_told() -> bool:
        pages = runs.admin.pages("trainingruns", runs.namespace)
        return all(is_told_what_is_wrong(run) for page in pages for run in page)

    runs.admin.until(are_told, "an answer to every document", 600)


def check(crowd: TrainingRuns, good: TrainingRuns, operator: OperatorProcess) -> set[str]:
    """Send the documents with a good run among them: it trains to its end, and all are answered. Returns the states."""
    process = operator.pid
    good.dashboard.scripts[good.namespace] = lambda job: job.finish()
    send(crowd, between=lambda: good.apply("good"))
    good.until("good", "Complete")
    assert len(good.attempts("good")) == 1
    wait_until_every_run_is_told_what_is_wrong(crowd)
    assert operator.running
    assert (operator.pid, operator.looks("bug")) == (process, 0)
    return {run["status"]["state"] for page in crowd.admin.pages("trainingruns", crowd.namespace) for run in page}


@pytest.mark.usefixtures("kuberay", "kubelet")
def test_documents_that_the_api_server_lets_through_harm_nobody(
    crowd: TrainingRuns, runs: TrainingRuns, operator: OperatorProcess
) -> None:
    assert "Pending" in check(crowd, runs, operator)


@pytest.mark.usefixtures("kuberay", "kubelet", "lax_definition")
def test_documents_that_nobody_has_checked_harm_nobody(
    crowd: TrainingRuns, runs: TrainingRuns, operator: OperatorProcess
) -> None:
    assert {"Pending", "Invalid"} <= check(crowd, runs, operator)
    for page in crowd.admin.pages("trainingruns", crowd.namespace):
        for run in page:
            crowd.admin.delete("trainingruns", run["metadata"]["name"], crowd.namespace)
