"""A run that cannot succeed ends soon, says why in words that help, is not tried again, and gives its machines back.

Each test names the class of failure and the words; how soon is counted from when the cause could be known. Runs that
must start in order to fail do so two at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from cluster_client import wait_until
from namespaces import Namespace
from run_on_cluster import TrainingRun, seconds_between
from timings import Timings

from trainingrun.contract.records import EpochEnded

# From the moment at which the cause can be known.
_SOON = 30.0
_GPU = {"limits": {"nvidia.com/gpu": 1}}
# An author's own module, with a mistake in its sixth line that the trial before the first step does not reach.
_MISTAKEN = """import torch


def step(model, batch, session):
    if session.position.step == 2:
        return model(batch["picture"])
    return torch.nn.functional.cross_entropy(model(batch["image"]), batch["label"])
"""
# Takes more and more memory, slowly enough for Ray to see it before the kernel does.
_GREEDY = """import time

import torch

taken = []


def step(model, batch, state):
    while True:
        taken.append(torch.ones(16 << 20, dtype=torch.uint8))
        time.sleep(0.1)
"""
_TRAIN_ON_CPU = {"name": "TRAININGRUN_TRAIN_ON_CPU", "value": "1"}

Runs = Mapping[str, TrainingRun]


@pytest.fixture(scope="module")
def mistaken(shared_namespace: Namespace) -> Runs:
    """Runs whose author has made a mistake: in the code, and in the recipe."""
    step = {"trainStep": {"function": "mistaken:step"}}
    found = shared_namespace.add_module("mistaken", _MISTAKEN)
    missing = {"train": {"path": "/mnt/cluster_storage/datasets/letters"}}
    return {
        "exception": _apply(shared_namespace, "exception", recipe=step, env=[found]),
        "dataset": _apply(shared_namespace, "no-dataset", recipe={"dataset": missing}),
    }


@pytest.fixture(scope="module")
def unfit(shared_namespace: Namespace) -> Runs:
    """Runs that ask for too little, or for what is not there, besides the recipe."""
    little = {"limits": {"memory": "2Gi"}, "requests": {"memory": "100Mi"}}
    greedy = {"trainStep": {"function": "greedy:step"}}
    found = shared_namespace.add_module("greedy", _GREEDY)
    nowhere = {"uri": "nowhere://training/runs", "persistentVolumeClaim": None}
    return {
        "memory": _apply(
            shared_namespace, "too-little-memory", trainer={"resourcesPerNode": little}, recipe=greedy, env=[found]
        ),
        "storage": _apply(shared_namespace, "no-storage", storage=nowhere),
    }


@pytest.fixture(scope="module")
def pretended(shared_namespace: Namespace) -> Runs:
    """Runs on GPUs behind which there is nothing."""
    trainer = {"resourcesPerNode": _GPU}
    return {
        "refused": _apply(shared_namespace, "pretended-gpu", trainer=trainer),
        "allowed": _apply(shared_namespace, "gpu-left-unused", trainer=trainer, env=[_TRAIN_ON_CPU]),
    }


@pytest.fixture(scope="module")
def stuck(shared_namespace: Namespace) -> Runs:
    """Runs whose pods never start."""
    claim = {"claimName": "no-such-claim", "mountPath": "/mnt/cluster_storage"}
    return {
        "image": _apply(shared_namespace, "impossible-image", image="registry.example/UPPER:case"),
        "missing image": _apply(
            shared_namespace, "missing-image", image="registry.example/none:1", imagePullPolicy="Never"
        ),
        "claim": _apply(shared_namespace, "no-claim", storage={"persistentVolumeClaim": claim}),
        "gpus": _apply(shared_namespace, "no-gpu", trainer={"resourcesPerNode": {"limits": {"nvidia.com/gpu": 64}}}),
    }


def test_an_invalid_spec_is_refused_by_the_api_server(shared_namespace: Namespace) -> None:
    with pytest.raises(AssertionError, match=r"spec\.recipe\.epochs"):
        _apply(shared_namespace, "invalid", recipe={"epochs": 0})


def test_an_image_whose_name_cannot_be_ends_the_run(stuck: Runs, timings: Timings) -> None:
    _fails(stuck["image"], timings, "ImagePull", "registry.example/UPPER:case")


def test_an_image_that_no_node_has_and_may_pull_ends_the_run(stuck: Runs, timings: Timings) -> None:
    _fails(stuck["missing image"], timings, "ImagePull", "registry.example/none:1")


def test_a_claim_that_does_not_exist_is_named_while_the_run_waits(stuck: Runs, timings: Timings) -> None:
    _waits(stuck["claim"], timings, "Unschedulable", "no-such-claim")


def test_a_gpu_that_no_node_has_is_named_while_the_run_waits(stuck: Runs, timings: Timings) -> None:
    _waits(stuck["gpus"], timings, "Unschedulable", "nvidia.com/gpu")


def test_an_exception_of_the_author_ends_the_run(mistaken: Runs, timings: Timings) -> None:
    words = ("spec.recipe.trainStep", 'code/mistaken.py", line 6, in step', "KeyError: 'picture'")
    attempt = _fails(mistaken["exception"], timings, "UserError", *words)
    assert attempt["exitCode"] == 13


def test_a_missing_dataset_ends_the_run(mistaken: Runs, timings: Timings) -> None:
    words = ("/mnt/cluster_storage/datasets/letters", "spec.recipe.dataset.train")
    attempt = _fails(mistaken["dataset"], timings, "InvalidConfig", *words)
    assert attempt["exitCode"] == 12


def test_storage_that_cannot_be_written_ends_the_run(unfit: Runs, timings: Timings) -> None:
    attempt = _fails(unfit["storage"], timings, "InvalidConfig", "spec.storage.uri", "nowhere://training/runs")
    assert attempt["exitCode"] == 12


def test_too_little_memory_ends_the_run(unfit: Runs, timings: Timings) -> None:
    attempt = _fails(unfit["memory"], timings, "OutOfMemory", "killed", "2.00GB limit")
    assert attempt["exitCode"] == 14


def test_a_gpu_that_cuda_cannot_use_is_refused_in_a_sentence(pretended: Runs, timings: Timings) -> None:
    attempt = _fails(pretended["refused"], timings, "InvalidConfig", "GPU", "CUDA", _TRAIN_ON_CPU["name"])
    assert attempt["exitCode"] == 12
    assert "\n" not in attempt["message"]


def test_a_gpu_that_is_to_be_left_unused_is_left_unused(pretended: Runs, timings: Timings) -> None:
    run = pretended["allowed"]
    run.wait_for("Complete", 600)
    timings.mark("Complete")
    assert len([record for record in run.records() if isinstance(record, EpochEnded)]) == 1


def _apply(namespace: Namespace, name: str, *, recipe: dict[str, Any] | None = None, **spec: Any) -> TrainingRun:
    """The digits with one epoch and one trainer, which start sooner than two."""
    spec = {"clusterTTLSecondsAfterFinished": {"onFailure": 0}, **spec}
    spec["trainer"] = {"numNodes": 1, **spec.get("trainer", {})}
    document = namespace.document(recipe={"epochs": 1, **(recipe or {})}, **spec)
    document["metadata"]["name"] = name
    return namespace.apply(document)


def _fails(run: TrainingRun, timings: Timings, reason: str, *words: str) -> dict[str, Any]:
    """Wait for the failure; check its class, its words, that it was told soon and not tried again, and its pods go."""
    failed = run.wait_for("Failed", 600)
    timings.mark("Failed")
    assert failed["reason"] == reason, run.shown()
    for word in words:
        assert word in failed["message"], failed["message"]
    assert len(run.attempts) == 1
    attempt: dict[str, Any] = run.attempts[0]
    assert attempt["failureClass"] == reason
    timings.note("after the cause", seconds_between(_driver_ended(run), failed["lastTransitionTime"]))
    assert timings.reached["after the cause"] <= _SOON
    wait_until(lambda: not run.pods(), 180, "no pod is left", run.shown)
    timings.mark("pods gone")
    return attempt


def _driver_ended(run: TrainingRun) -> str:
    """When the driver ended; where none began, when the run was made."""
    jobs = run.cluster.list("rayjobs", run.namespace, f"trainingrun.dev/run-name={run.name}")
    ends = [job.get("status", {}).get("rayJobInfo", {}).get("endTime") for job in jobs]
    return next(filter(None, ends), run.read()["metadata"]["creationTimestamp"])


def _waits(run: TrainingRun, timings: Timings, reason: str, *words: str) -> None:
    """Wait until the status says what the run waits for; it may come yet, so the run is not failed."""

    def told() -> bool:
        ready = run.condition("PodsReady")
        return ready.get("reason") == reason and all(word in ready["message"] for word in words)

    wait_until(told, 90, f"{reason} with {words}", run.shown)
    timings.mark("told")
    assert not run.is_true("Failed")
    run.cluster.run("delete", "trainingrun", run.name, f"--namespace={run.namespace}", "--wait=false")
