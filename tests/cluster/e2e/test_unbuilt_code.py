"""Code that no image has: a folder that is submitted with a run, and archives on the run's claim.

One run of a recipe loses its head and its data pods meanwhile; whatever comes in their place has the same code.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import long_run
import pytest
import yaml
from cluster_client import wait_until
from faults import Faults
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.archive import Archive, packed
from trainingrun.contract.pods import CODE_CONTAINER
from trainingrun.contract.records import AttemptStarted, EpochEnded

pytestmark = pytest.mark.extended

_FOLDER = Path(__file__).parent / "unbuilt_code"
_PATIENCE = 900
_EPOCHS = 4
_ON_THE_CLAIM = "/mnt/cluster_storage/code/archive.tar.gz"
_RECIPE = {
    "epochs": _EPOCHS,
    "scheduler": None,
    "model": {"function": "my_project.model:Digits", "parameters": {"num_classes": None, "classes": 10}},
    "transforms": [{"function": "my_project.rows:slowly", "kind": "Row"}],
}
_SMALL = {"trainer": {"numNodes": 1}, "data": {"numNodes": 1}}


@pytest.fixture(scope="module")
def archive() -> Archive:
    return packed(_FOLDER)


@pytest.fixture(scope="module")
def run(shared_namespace: Namespace) -> TrainingRun:
    """The digits with a model and a transform of the folder, submitted as a user does it."""
    document = shared_namespace.document(recipe=_RECIPE, storage={"checkpoints": {"everySteps": 10}}, backoffLimit=9)
    run = submitted(shared_namespace, document)
    run.wait_for_step(1, _PATIENCE)
    return run


def submitted(namespace: Namespace, document: dict[str, Any]) -> TrainingRun:
    """The run of a document, to which the command adds the folder."""
    namespace.artifacts.mkdir(parents=True, exist_ok=True)
    file = namespace.artifacts / f"{document['metadata']['name']}.yaml"
    file.write_text(yaml.safe_dump(document))
    program = Path(sys.executable).with_name("trainingrun")
    options = ["--filename", file, "--code", _FOLDER, "--kubeconfig", namespace.cluster.kubeconfig]
    done = subprocess.run([program, "submit", *options], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    run = TrainingRun(namespace.cluster, namespace.name, namespace.volume, document["metadata"]["name"])
    namespace.runs.append(run)
    return run


def put_on_the_claim(namespace: Namespace, archive: Archive) -> None:
    """Where pods find it as `_ON_THE_CLAIM`."""
    place = namespace.volume / "code"
    place.mkdir(exist_ok=True)
    place.chmod(0o777)
    (place / "archive.tar.gz").write_bytes(archive.data)


def config_maps(run: TrainingRun) -> list[dict[str, Any]]:
    """Those that belong to the run."""
    found = run.cluster.list("configmaps", run.namespace, f"trainingrun.dev/run-name={run.name}")
    return [each for each in found if each["metadata"].get("ownerReferences")]


def test_the_status_and_the_records_name_the_code(run: TrainingRun, archive: Archive) -> None:
    assert run.status["provenance"] == {"codeDigest": f"sha256:{archive.sha256}"}
    (config_map,) = config_maps(run)
    (owner,) = config_map["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("TrainingRun", run.read()["metadata"]["uid"])
    started = next(record for record in run.records() if isinstance(record, AttemptStarted))
    assert started.configuration["spec"]["code"]["sha256"] == archive.sha256


def test_every_pod_has_unpacked_it(run: TrainingRun) -> None:
    pods = run.pods()
    assert len(pods) > 2
    for pod in pods:
        (state,) = (each for each in pod["status"]["initContainerStatuses"] if each["name"] == CODE_CONTAINER)
        assert state["state"]["terminated"]["exitCode"] == 0


@pytest.mark.usefixtures("something_to_lose")
def test_pods_that_come_later_have_it_too(run: TrainingRun, faults: Faults, timings: Timings, archive: Archive) -> None:
    before = long_run.uids(run.pods())
    killed = faults.kill(*run.pods("head"), *run.pods("data"))
    resumption = long_run.wait_for_resumption(run, timings, killed)
    assert resumption.resumed_at >= resumption.saved
    assert not long_run.uids(run.pods("head")) & before
    run.wait_for("Complete", _PATIENCE)
    assert {record.epoch for record in run.records() if isinstance(record, EpochEnded)} == set(range(_EPOCHS))
    manifest = json.loads((max(run.folder.glob("step-*")) / "manifest.json").read_text())
    assert manifest["recorded"]["code"] == archive.sha256


def test_a_script_starts_in_the_folder_and_all_its_processes_find_it(shared_namespace: Namespace) -> None:
    trainer = {"command": ["python", "train.py"], "args": ["/mnt/cluster_storage/datasets/digits/train"]}
    image = shared_namespace.document()["spec"]["image"]
    document = shared_namespace.document("own-script", image=image, data=_SMALL["data"])
    document["spec"]["trainer"] |= {**trainer, "numNodes": 1}
    run = submitted(shared_namespace, document)
    run.wait_for("Complete", _PATIENCE)
    assert [attempt["outcome"] for attempt in run.attempts] == ["Complete"]


@pytest.mark.parametrize("is_there", [True, False], ids=["another archive", "no archive"])
def test_an_archive_that_is_not_the_named_one_ends_the_run(
    shared_namespace: Namespace, archive: Archive, is_there: bool
) -> None:
    put_on_the_claim(shared_namespace, archive)
    uri = _ON_THE_CLAIM if is_there else f"{_ON_THE_CLAIM}.zip"
    document = shared_namespace.document(recipe=_RECIPE, code={"uri": uri, "sha256": "0" * 64}, **_SMALL)
    document["metadata"]["name"] = "another-archive" if is_there else "no-archive"
    run = shared_namespace.apply(document)
    run.wait_for("Failed", 300)
    (attempt,) = run.attempts
    assert attempt["failureClass"] == "InvalidConfig"
    words = (
        f"found an archive whose sha256 is {archive.sha256}, allowed: the one"
        if is_there
        else "there is nothing at this address"
    )
    assert attempt["message"].startswith(f'spec.code: "{uri}": {words}')


def test_an_archive_on_the_claim_trains(shared_namespace: Namespace, archive: Archive) -> None:
    put_on_the_claim(shared_namespace, archive)
    recipe = {**_RECIPE, "epochs": 1}
    document = shared_namespace.document(recipe=recipe, code={"uri": _ON_THE_CLAIM, "sha256": archive.sha256}, **_SMALL)
    document["metadata"]["name"] = "on-the-claim"
    run = shared_namespace.apply(document)
    run.wait_for("Complete", _PATIENCE)
    assert [attempt["outcome"] for attempt in run.attempts] == ["Complete"]


def test_the_code_goes_with_its_run(run: TrainingRun) -> None:
    assert config_maps(run)
    run.cluster.run("delete", "trainingrun", run.name, f"--namespace={run.namespace}", "--timeout=120s")
    wait_until(lambda: not config_maps(run), 120, f"the ConfigMap of {run.name} to go")
