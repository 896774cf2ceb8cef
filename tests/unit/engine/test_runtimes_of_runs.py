"""A run that names a runtime: what wakes it, what is kept of the runtime, and what the run is with that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.lifecycle import Decision, decide
from trainingrun.lifecycle.stalls import LASTING
from trainingrun.observed import RunObject
from trainingrun.render import RenderSettings, ray_job
from trainingrun.status_page import run_view_of

Body = dict[str, Any]
BORN = datetime(2026, 9, 1, 12, tzinfo=UTC)
TEMPLATE: Body = {"image": "given:1", "storage": {"uri": "s3://given/runs"}, "backoffLimit": 7}
KEY = Key("team", "mnist")


class Told:
    """A cache, and what the API server tells it."""

    def __init__(self, kind: str = "TrainingRuntime", **spec: Any):
        self.cache = Cache()
        self.kind = kind
        self.version = 10
        recipe = {"dataset": {"train": {"format": "Parquet", "path": "/data"}}}
        reference = {"kind": kind, "name": "gpu"}
        self.body: Body = {
            "apiVersion": "trainingrun.dev/v1beta1",
            "kind": "TrainingRun",
            "metadata": {"name": "mnist", "namespace": "team", "uid": "uid-run", "generation": 1},
            "spec": {"runtimeRef": reference, "recipe": recipe, **spec},
        }
        self.body["metadata"]["creationTimestamp"] = "2026-09-01T12:00:00Z"
        assert self.put("TrainingRun", self.body) == KEY

    def put(self, kind: str, body: Body) -> Key | None:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        return self.cache.put(kind, body)

    def runtime(self, template: Body, *, namespace: str = "team", uid: str = "uid-gpu", generation: int = 1) -> Body:
        metadata = {"name": "gpu", "uid": uid, "generation": generation}
        metadata |= {"namespace": namespace} if self.kind == "TrainingRuntime" else {}
        # Items of a list do not say what they are.
        body = {"metadata": metadata, "spec": {"template": template}}
        assert self.put(self.kind, body) is None
        return body

    def woken(self) -> set[Key]:
        return self.cache.runtimes.take_woken()

    @property
    def run(self) -> RunObject:
        run = self.cache.run(KEY)
        assert run is not None
        return run

    def look(self, seconds: float = 5) -> Decision:
        """A look at the run, whose status is written."""
        decision = decide(self.run, self.cache.observed("uid-run"), BORN + timedelta(seconds=seconds))
        if decision.status is not None:
            self.body["status"] = decision.status
            self.put("TrainingRun", self.body)
        return decision

    def condition(self, kind: str) -> tuple[str, str, str]:
        (found,) = (entry for entry in self.body["status"]["conditions"] if entry["type"] == kind)
        return found["status"], found["reason"], found["message"]


@pytest.mark.parametrize("kind", ["TrainingRuntime", "ClusterTrainingRuntime"])
def test_a_run_waits_for_its_runtime_and_begins_with_a_copy_of_it(kind: str) -> None:
    told = Told(kind)
    first = told.look()
    assert first.create is None and "attempts" not in told.body["status"]
    where = " in namespace team" if kind == "TrainingRuntime" else ""
    words = f"spec.runtimeRef: there is no {kind} gpu{where} that the operator can see; the run begins once it exists."
    assert told.condition("Accepted") == ("False", "RuntimeNotFound", words)
    assert told.condition("PodsReady") == ("False", "RuntimeNotFound", words)
    assert (told.body["status"]["state"], told.condition("Reconciling")[0]) == ("Pending", "True")
    told.runtime(TEMPLATE)
    assert told.woken() == {KEY} and told.woken() == set()
    second = told.look()
    assert second.create is None and "attempts" not in told.body["status"]
    assert told.condition("Accepted")[0] == "True"
    snapshot = told.body["status"]["runtime"]
    assert snapshot == {"kind": kind, "name": "gpu", "uid": "uid-gpu", "generation": 1, "template": TEMPLATE}
    third = told.look()
    assert third.create is not None and third.create.attempt == 0
    assert told.body["status"]["runtime"] == snapshot
    spec = told.run.spec
    assert (spec.image, spec.backoff_limit, spec.storage.uri) == ("given:1", 7, "s3://given/runs")
    containers = ray_job(told.run, 0, RenderSettings())["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert containers["containers"][0]["image"] == "given:1"
    assert (run_view_of(told.body).backoff_limit, run_view_of(told.body).runtime) == (7, "gpu")


def test_a_run_that_starts_from_another_s_checkpoint_knows_its_claim_once_it_has_its_runtime() -> None:
    dataset = {"train": {"format": "Parquet", "path": "/data"}}
    told = Told(recipe={"dataset": dataset, "initialCheckpoint": {"run": "first"}})
    claim = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}
    first: Body = {**told.body, "metadata": {**told.body["metadata"], "name": "first", "uid": "uid-first"}}
    first["spec"] = {"image": "a", "storage": claim, "recipe": {"dataset": dataset}}
    told.put("TrainingRun", first)
    told.runtime(TEMPLATE | {"storage": claim})
    told.look()
    assert told.condition("Accepted")[:2] == ("True", "Valid")
    created = told.look().create
    assert created is not None and created.initial_checkpoint == "pvc://models/uid-first"


def test_what_becomes_of_the_runtime_later_changes_no_run_that_has_it() -> None:
    told = Told()
    body = told.runtime(TEMPLATE)
    told.look()
    told.look()
    told.woken()
    before = told.run
    told.runtime(TEMPLATE | {"image": "given:2"}, generation=2)
    told.cache.forget("TrainingRuntime", body)
    assert told.woken() == set()
    again = told.look()
    assert again.status is None
    assert told.run.spec is before.spec and told.run.run is before.run


def test_a_runtime_that_does_not_fit_is_not_taken_until_it_is_mended() -> None:
    told = Told(trainer={"resourcesPerNode": {"limits": {"cpu": 2}}})
    told.runtime(TEMPLATE | {"trainer": {"resourcesPerNode": {"requests": {"cpu": 4}}}})
    told.look()
    state, reason, message = told.condition("Accepted")
    assert (state, reason, told.body["status"]["state"]) == ("False", "InvalidSpec", "Invalid")
    assert message.startswith("spec.trainer.resourcesPerNode.requests.cpu: found 4 (from TrainingRuntime gpu), ")
    assert "runtime" not in told.body["status"] and told.condition("Stalled")[0] == "True"
    told.runtime(TEMPLATE | {"image": ""}, generation=2)
    assert told.woken() == {KEY}
    told.look()
    assert told.condition("Accepted")[2].startswith(
        "spec.runtimeRef: found TrainingRuntime gpu, whose spec.template.im"
    )
    told.runtime(TEMPLATE, generation=3)
    told.look()
    assert (told.condition("Accepted")[0], told.condition("Stalled")[0]) == ("True", "False")
    assert told.body["status"]["runtime"]["generation"] == 3
    assert told.look().create is not None


def test_a_run_with_a_mistake_of_its_own_waits_for_no_runtime() -> None:
    told = Told(trainer={"numNodes": 0})
    told.runtime(TEMPLATE)
    told.look()
    assert told.woken() == set()
    assert told.condition("Accepted")[1] == "InvalidSpec" and "runtime" not in told.body["status"]


def test_a_suspended_run_waits_too_and_a_missing_runtime_is_a_stall_after_a_while() -> None:
    told = Told()
    assert told.look().look_again == BORN + LASTING
    told.look(LASTING.total_seconds())
    assert told.condition("Stalled")[:2] == ("True", "RuntimeNotFound")
    suspended = Told(suspend=True)
    suspended.look()
    assert suspended.condition("Accepted")[1] == "RuntimeNotFound"
    assert suspended.body["status"]["state"] == "Suspended"


def test_only_the_runtime_of_its_own_kind_and_namespace_wakes_a_run() -> None:
    told = Told()
    told.runtime(TEMPLATE, namespace="other", uid="uid-other")
    told.kind = "ClusterTrainingRuntime"
    told.runtime(TEMPLATE, uid="uid-cluster")
    assert told.woken() == set() and told.cache.observed("uid-run").runtime is None


def test_a_late_end_of_a_runtime_does_not_hide_the_one_that_has_its_name_now() -> None:
    told = Told()
    old = told.runtime(TEMPLATE)
    told.runtime(TEMPLATE | {"image": "given:2"}, uid="uid-new")
    told.cache.forget("TrainingRuntime", old)
    seen = told.cache.observed("uid-run").runtime
    assert seen is not None and seen.uid == "uid-new"
    assert told.cache.replace("TrainingRuntime", "team", [], set(), str(told.version + 1)) == set()
    assert told.cache.observed("uid-run").runtime is None


def test_a_run_that_is_gone_is_not_woken() -> None:
    told = Told()
    told.cache.forget("TrainingRun", told.body)
    told.runtime(TEMPLATE)
    assert told.woken() == set()


def test_a_snapshot_that_cannot_be_read_is_taken_anew_and_pods_that_exist_stay() -> None:
    told = Told()
    told.runtime(TEMPLATE)
    told.look()
    told.body["status"]["runtime"] = {"template": "lost"}
    told.put("TrainingRun", told.body)
    assert told.run.run is None and told.run.awaiting is not None
    told.look()
    assert told.body["status"]["runtime"]["template"] == TEMPLATE
