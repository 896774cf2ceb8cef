"""Which runs share a folder, as the cache tells, and that exactly one of them is let in."""

from __future__ import annotations

from typing import Any

import pytest

from trainingrun.contract.labels import MANAGED_BY_KEY, MANAGED_BY_VALUE, RUN_UID_KEY
from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.kube.resources import PODS, TRAINING_RUNS

CLAIM = {"claimName": "data", "mountPath": "/mnt/data"}


def body(name: str, storage: dict[str, Any], namespace: str = "a", version: int = 1) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": str(version)}
    metadata |= {"generation": 1, "creationTimestamp": "2026-09-01T12:00:00Z"}
    recipe = {"dataset": {"train": {"format": "Parquet", "path": "/data"}}}
    spec = {"image": "trainer:1", "recipe": recipe, "storage": storage}
    return {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": metadata, "spec": spec}


def sharers(cache: Cache, name: str) -> list[str]:
    return [sharer.run.name for sharer in cache.observed(f"uid-{name}").sharers]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"uri": "s3://b/runs", "runName": "x"}, {"uri": "s3://b/runs", "runName": "x"}, True),
        ({"uri": "s3://b/runs", "runName": "x"}, {"uri": "S3A://b//runs/", "runName": "x"}, True),
        ({"uri": "s3://b/runs", "runName": "uid-two"}, {"uri": "s3://b/runs"}, True),
        ({"uri": "s3://b/runs", "runName": "x"}, {"uri": "s3://b/runs", "runName": "y"}, False),
        ({"uri": "s3://b/runs", "runName": "x"}, {"uri": "s3://b/other", "runName": "x"}, False),
        ({"uri": "s3://b/runs", "runName": "x"}, {"uri": "gs://b/runs", "runName": "x"}, False),
        ({"uri": "s3://b/runs"}, {"uri": "s3://b/runs"}, False),
    ],
)
def test_a_folder_is_known_by_its_place_and_name(one: dict[str, Any], other: dict[str, Any], is_same: bool) -> None:
    cache = Cache()
    cache.put(TRAINING_RUNS.kind, body("one", one))
    cache.put(TRAINING_RUNS.kind, body("two", other, namespace="b"))
    assert (sharers(cache, "one"), sharers(cache, "two")) == ((["two"], ["one"]) if is_same else ([], []))


@pytest.mark.parametrize(("namespace", "is_same"), [("a", True), ("b", False)])
def test_a_claim_is_one_of_its_namespace_wherever_it_is_mounted(namespace: str, is_same: bool) -> None:
    cache = Cache()
    cache.put(TRAINING_RUNS.kind, body("one", {"persistentVolumeClaim": CLAIM, "runName": "x"}))
    elsewhere = {"persistentVolumeClaim": {**CLAIM, "mountPath": "/mnt/other"}, "runName": "x"}
    cache.put(TRAINING_RUNS.kind, body("two", elsewhere, namespace=namespace))
    assert sharers(cache, "one") == (["two"] if is_same else [])


def test_a_run_that_is_gone_shares_nothing() -> None:
    cache, storage = Cache(), {"uri": "s3://b/runs", "runName": "x"}
    cache.put(TRAINING_RUNS.kind, body("one", storage))
    cache.put(TRAINING_RUNS.kind, body("two", storage))
    cache.folders.choose("uid-two")
    assert [sharer.is_chosen for sharer in cache.observed("uid-one").sharers] == [True]
    assert cache.observed("uid-two").is_chosen
    assert cache.forget(TRAINING_RUNS.kind, body("two", storage, version=9)) == Key("a", "two")
    assert sharers(cache, "one") == []
    assert not cache.folders.is_chosen("uid-two")


def test_a_run_leaves_its_folder_once_its_last_pod_is_gone() -> None:
    cache, storage = Cache(), {"uri": "s3://b/runs", "runName": "x"}
    cache.put(TRAINING_RUNS.kind, body("one", storage))
    cache.put(TRAINING_RUNS.kind, body("two", storage))
    labels = {MANAGED_BY_KEY: MANAGED_BY_VALUE, RUN_UID_KEY: "uid-two"}
    metadata = {"name": "head", "namespace": "a", "uid": "pod", "resourceVersion": "3", "labels": labels}
    metadata["creationTimestamp"] = "2026-09-01T12:00:00Z"
    pod: dict[str, Any] = {"metadata": metadata, "status": {}}
    cache.put(PODS.kind, pod)
    assert not cache.observed("uid-one").sharers[0].is_leaving
    ending = {**metadata, "resourceVersion": "4", "deletionTimestamp": "2026-09-01T12:10:00Z"}
    cache.put(PODS.kind, {**pod, "metadata": ending})
    assert cache.observed("uid-one").sharers[0].is_leaving
    cache.forget(PODS.kind, {**pod, "metadata": {**ending, "resourceVersion": "5"}})
    assert not cache.observed("uid-one").sharers[0].is_leaving
