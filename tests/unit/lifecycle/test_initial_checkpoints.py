"""Runs that start from another run's checkpoint: where that lies is found out once, or said why it cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from seen_objects import NOW, a_run, after_look, entry, status, status_of

from trainingrun.engine.cache import Cache
from trainingrun.lifecycle import decide
from trainingrun.lifecycle.permission import Creation, FirstWrite, FreshRead
from trainingrun.observed import Observed, RunObject
from trainingrun.render import RenderSettings, ray_job

CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}
DATASET = {"train": {"format": "Parquet", "path": "/data"}}
UID = "0a1b2c3d"


def beginner(storage: dict[str, Any] | None = None, status: dict[str, Any] | None = None, **initial: Any) -> RunObject:
    fields = {"storage": storage} if storage else {}
    recipe = {"dataset": DATASET, "initialCheckpoint": initial or {"run": "first"}}
    return a_run(recipe=recipe, status=status, **fields)


def first(**fields: Any) -> RunObject:
    return replace(a_run(**fields), name="first", uid=UID)


def variables(run: RunObject, location: str | None) -> dict[str, str]:
    manifest = ray_job(run, 0, RenderSettings(), location)
    head = manifest["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable.get("value", "") for variable in head["env"]}


@pytest.mark.parametrize(
    ("mine", "its", "location"),
    [
        (None, {}, f"s3://acme/runs/{UID}"),
        (None, {"storage": {"uri": "gs://other/place/", "runName": "baseline"}}, "gs://other/place/baseline"),
        (CLAIM, {"storage": CLAIM}, f"pvc://models/{UID}"),
        (CLAIM, {}, f"s3://acme/runs/{UID}"),
        (None, {"status": status(entry(0, "Failed"))}, f"s3://acme/runs/{UID}"),
        (None, {"suspend": True, "deleting": True}, f"s3://acme/runs/{UID}"),
    ],
    ids=["by uid", "by name", "same claim", "elsewhere", "failed", "suspended, and about to go"],
)
def test_the_folder_of_the_named_run_is_found(mine: Any, its: dict[str, Any], location: str) -> None:
    run, observed = beginner(mine), Observed(initial=first(**its))
    assert decide(run, observed, NOW).create == Creation(0, FirstWrite(), location)
    assert status_of(run, observed, NOW)["initialCheckpoint"] == location
    assert variables(run, location)["TRAININGRUN_INITIAL_CHECKPOINT"] == location


def test_it_is_remembered_when_the_named_run_is_gone() -> None:
    written = {**status(entry(0, "Pending", rayJobUID=None)), "initialCheckpoint": "s3://a/b"}
    run = beginner(status=written)
    assert decide(run, Observed(), NOW).create == Creation(0, FreshRead(), "s3://a/b")


def test_a_place_is_taken_as_it_is_written() -> None:
    run = beginner(uri="s3://acme/weights.pt")
    assert decide(run, Observed(), NOW).create == Creation(0, FirstWrite(), "s3://acme/weights.pt")


def test_a_run_from_the_beginning_says_nothing_of_it() -> None:
    run = a_run()
    assert decide(run, Observed(), NOW).create == Creation(0, FirstWrite())
    assert "initialCheckpoint" not in status_of(run, Observed(), NOW)
    assert "TRAININGRUN_INITIAL_CHECKPOINT" not in variables(run, None)


@pytest.mark.parametrize(
    ("run", "observed", "waits_for", "words"),
    [
        (
            beginner(),
            Observed(),
            "first",
            'there is no run first in namespace "training"; expected one that exists, or',
        ),
        (beginner(run="mnist"), Observed(initial=a_run()), "mnist", "found mnist, which is this run itself"),
        (
            beginner(),
            Observed(initial=first(storage=CLAIM)),
            "first",
            f"found first, whose checkpoints are in pvc://models/{UID}, a claim that is not this run's storage",
        ),
        (
            beginner({"persistentVolumeClaim": {"claimName": "model", "mountPath": "/mnt/models"}}),
            Observed(initial=first(storage=CLAIM)),
            "first",
            "a claim that is not this run's storage",
        ),
        (beginner(), Observed(initial=first(storage={"uri": "none"})), "first", "whose spec.storage cannot be read"),
        (
            beginner(),
            Observed(initial=replace(first(storage={"uri": "none"}), awaiting={})),
            "first",
            "found first, which waits for its runtime; this run begins once that one has it",
        ),
    ],
    ids=["none", "itself", "on a claim", "on another claim", "unreadable", "without its runtime"],
)
def test_a_run_that_cannot_be_started_from_is_waited_for_in_words(
    run: RunObject, observed: Observed, waits_for: str, words: str
) -> None:
    decision = decide(run, observed, NOW)
    assert (decision.create, decision.waits_for) == (None, ("training", waits_for))
    written = status_of(run, observed, NOW)
    found = {condition["type"]: condition for condition in written["conditions"]}
    assert written["state"] == "Pending" and "attempts" not in written
    assert (found["Accepted"]["status"], found["Accepted"]["reason"]) == ("False", "InitialCheckpoint")
    assert words in found["Accepted"]["message"]
    assert found["PodsReady"]["reason"] == "InitialCheckpoint"
    assert decide(after_look(run, observed), observed, NOW).status is None


def test_the_cache_knows_the_named_run_of_the_same_namespace_only() -> None:
    def body(name: str, namespace: str, version: str, **recipe: Any) -> dict[str, Any]:
        metadata = {
            "name": name,
            "namespace": namespace,
            "uid": f"{namespace}-{name}",
            "resourceVersion": version,
            "creationTimestamp": "2026-09-01T11:00:00Z",
        }
        spec = {"image": "a:1", "storage": {"uri": "s3://acme/runs"}, "recipe": {"dataset": DATASET, **recipe}}
        return {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": metadata, "spec": spec}

    cache = Cache()
    cache.put("TrainingRun", body("mine", "training", "1", initialCheckpoint={"run": "first"}))
    cache.put("TrainingRun", body("first", "other", "2"))
    assert cache.observed("training-mine").initial is None
    cache.put("TrainingRun", body("first", "training", "3"))
    found = cache.observed("training-mine").initial
    assert found is not None and found.uid == "training-first"
    assert cache.observed("training-first").initial is None
