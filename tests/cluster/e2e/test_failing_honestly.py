"""A run that cannot succeed ends soon, says why in words that help, is not tried again, and gives its machines back.

Each test names the class of failure and the words; how soon is counted from when the cause could be known.
"""

from __future__ import annotations

from typing import Any

import pytest
from cluster_client import wait_until
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

# From the moment at which the cause can be known.
_SOON = 30.0


def _fails(run: TrainingRun, timings: Timings, reason: str, *words: str, seconds: float = 300) -> dict[str, Any]:
    """Wait for the failure; check its class, its words, that there was one attempt, and that its pods go."""
    failed = run.wait_for("Failed", seconds)
    timings.mark("Failed")
    assert failed["reason"] == reason, run.shown()
    for word in words:
        assert word in failed["message"], failed["message"]
    assert len(run.attempts) == 1
    attempt: dict[str, Any] = run.attempts[0]
    assert attempt["failureClass"] == reason
    wait_until(lambda: not run.pods(), 120, "no pod is left", run.shown)
    timings.mark("pods gone")
    return attempt


def test_an_exception_of_the_author_ends_the_run(namespace: Namespace, timings: Timings) -> None:
    loss = {"function": "torch.nn:NLLLoss", "parameters": {"weight": "heavy"}}
    run = namespace.apply(_quick(namespace, recipe={"loss": loss}))
    attempt = _fails(run, timings, "UserError", "TypeError: cannot assign 'str' object to buffer 'weight'")
    assert attempt["exitCode"] == 13


def test_a_missing_dataset_ends_the_run(namespace: Namespace, timings: Timings) -> None:
    path = "/mnt/cluster_storage/datasets/letters"
    run = namespace.apply(_quick(namespace, recipe={"dataset": {"train": {"path": path}}}))
    attempt = _fails(run, timings, "InvalidConfig", path, "spec.recipe.dataset.train")
    assert attempt["exitCode"] == 12


def test_an_image_that_cannot_exist_ends_the_run(namespace: Namespace, timings: Timings) -> None:
    run = namespace.apply(_quick(namespace, image="registry.example/UPPER:case"))
    _fails(run, timings, "ImagePull", "registry.example/UPPER:case", seconds=60)
    assert timings.reached["Failed"] <= _SOON


def test_too_little_memory_ends_the_run(namespace: Namespace, timings: Timings) -> None:
    limits = {"memory": "1Gi"}
    group = {"limits": limits, "requests": {"memory": "100Mi"}}
    run = namespace.apply(_quick(namespace, trainer={"numNodes": 1, "resourcesPerNode": group}))
    _fails(run, timings, "OutOfMemory", "memory")


def test_a_gpu_that_no_node_has_is_named_while_the_run_waits(namespace: Namespace, timings: Timings) -> None:
    limits = {"nvidia.com/gpu": 64}
    run = namespace.apply(_quick(namespace, trainer={"numNodes": 1, "resourcesPerNode": {"limits": limits}}))
    _waits(run, timings, "Unschedulable", "nvidia.com/gpu")


def test_a_claim_that_does_not_exist_is_named_while_the_run_waits(namespace: Namespace, timings: Timings) -> None:
    claim = {"claimName": "no-such-claim", "mountPath": "/mnt/cluster_storage"}
    run = namespace.apply(_quick(namespace, storage={"persistentVolumeClaim": claim}))
    _waits(run, timings, "Unschedulable", "no-such-claim")


def test_an_invalid_spec_is_refused_by_the_api_server(namespace: Namespace) -> None:
    document = namespace.document(recipe={"epochs": 0})
    with pytest.raises(AssertionError, match=r"spec\.recipe\.epochs"):
        namespace.apply(document)


def _quick(namespace: Namespace, **spec: Any) -> dict[str, Any]:
    """The digits with one trainer; it starts sooner than with two."""
    ttl = {"onFailure": 0}
    document = namespace.document(**{"trainer": {"numNodes": 1}, "clusterTTLSecondsAfterFinished": ttl, **spec})
    document["metadata"]["name"] = "failing"
    return document


def _waits(run: TrainingRun, timings: Timings, reason: str, *words: str) -> None:
    """Wait until the status says what the run waits for; it may come yet, so the run is not failed."""

    def told() -> bool:
        ready = run.condition("PodsReady")
        return ready.get("reason") == reason and all(word in ready["message"] for word in words)

    wait_until(told, 90, f"{reason} with {words}", run.shown)
    timings.mark("told")
    assert timings.reached["told"] <= _SOON
    assert not run.is_true("Failed")
