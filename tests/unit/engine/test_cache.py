"""What the cache keeps of each object, and of which changes it says that they matter."""

from __future__ import annotations

from typing import Any

import pytest
from answering import NAMESPACE, child_body, run_body

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key

KEY = Key(NAMESPACE, "mnist")
READY = [{"type": "Ready", "status": "True"}]


def filled() -> Cache:
    cache = Cache()
    cache.put("TrainingRun", run_body())
    cache.put("RayJob", child_body("job", 6, owner="run-1"))
    cache.put("RayCluster", child_body("cluster", 7))
    cache.put("Pod", child_body("pod", 8))
    return cache


def listed(cache: Cache, kind: str, version: str, *bodies: dict[str, Any], namespace: str | None = None) -> set[Key]:
    readings = [cache.read(kind, body) for body in bodies]
    return cache.replace(kind, namespace, readings, {reading.uid for reading in readings}, version)


def names(cache: Cache, run_uid: str = "run-1") -> list[str]:
    observed = cache.observed(run_uid)
    return [child.name for child in (*observed.ray_jobs, *observed.ray_clusters, *observed.pods)]


def test_a_run_is_found_by_its_name_and_by_its_uid() -> None:
    cache = filled()
    run = cache.run(KEY)
    assert run is not None and run is cache.run_by_uid("run-1") and list(cache.keys()) == [KEY]


def test_children_are_found_by_the_uid_of_their_run() -> None:
    assert names(filled()) == ["job", "cluster", "pod"]
    assert names(filled(), "another") == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("TrainingRun", run_body(version=9, state="Running")),
        ("RayJob", child_body("job", 9, owner="run-1", jobStatus="RUNNING")),
        ("RayCluster", child_body("cluster", 9, state="ready")),
        ("Pod", child_body("pod", 9, conditions=READY)),
        ("Pod", child_body("new", 9)),
    ],
)
def test_a_change_that_matters_names_its_run(kind: str, body: dict[str, Any]) -> None:
    assert filled().put(kind, body) == KEY


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("TrainingRun", run_body(version=9)),
        ("RayJob", child_body("job", 9, owner="run-1", observedGeneration=4)),
        ("Pod", child_body("pod", 9, podIP="10.0.0.1")),
        ("Pod", child_body("stranger", 9, run_uid="another")),
    ],
    ids=["version only", "a field that nobody reads", "an address", "of no run that is known"],
)
def test_a_change_that_does_not_matter_names_none(kind: str, body: dict[str, Any]) -> None:
    assert filled().put(kind, body) is None


def test_the_version_of_a_run_is_kept_even_when_nothing_else_changed() -> None:
    """The next write must name it, or it conflicts for ever."""
    cache = filled()
    cache.put("TrainingRun", run_body(version=9))
    run = cache.run(KEY)
    assert run is not None and run.resource_version == "9"


@pytest.mark.parametrize("version", [4, 5, 6])
def test_an_older_body_never_replaces_a_newer_one(version: int) -> None:
    cache = filled()
    assert cache.put("RayJob", child_body("job", version, owner="run-1", jobStatus="FAILED")) is None
    assert cache.observed("run-1").ray_jobs[0].job_status == ""


def test_late_news_of_what_is_gone_does_not_bring_it_back() -> None:
    cache = filled()
    assert cache.forget("Pod", child_body("pod", 10)) == KEY
    assert cache.put("Pod", child_body("pod", 9)) is None
    assert cache.put("Pod", child_body("pod", 10)) is None
    assert "pod" not in names(cache)


def test_what_has_left_the_view_and_comes_back_is_seen_again() -> None:
    """A watch with a selector tells of an object that has lost its label as of one that is gone."""
    cache = filled()
    assert cache.forget("RayJob", child_body("job", 10, owner="run-1")) == KEY
    assert cache.put("RayJob", child_body("job", 11, owner="run-1")) == KEY
    assert "job" in names(cache)


def test_what_was_missing_in_a_list_is_seen_again_in_the_next() -> None:
    cache = filled()
    assert listed(cache, "RayJob", "20") == {KEY}
    assert listed(cache, "RayJob", "22", child_body("job", 21, owner="run-1")) == {KEY}
    assert "job" in names(cache)


def test_what_was_deleted_by_us_never_comes_back() -> None:
    cache = filled()
    assert cache.forget_uid("Pod", "uid-pod") == KEY
    assert cache.put("Pod", child_body("pod", 99)) is None


def test_an_old_departure_does_not_hide_what_is_back_already() -> None:
    cache = filled()
    cache.put("Pod", child_body("pod", 12))
    assert cache.forget("Pod", child_body("pod", 11)) is None
    assert "pod" in names(cache)


def test_what_the_api_server_was_asked_for_exists_whatever_watches_say() -> None:
    cache = filled()
    cache.forget("RayJob", child_body("job", 9, owner="run-1"))
    assert cache.put("RayJob", child_body("job", 9, owner="run-1"), is_certain=True) == KEY
    assert "job" in names(cache)


@pytest.mark.parametrize("kind", ["RayJob", "RayCluster", "Pod"])
def test_a_copy_in_another_namespace_is_no_child(kind: str) -> None:
    cache = filled()
    copy = child_body("copy", 9, owner="run-1")
    copy["metadata"]["namespace"] = "elsewhere"
    assert cache.put(kind, copy) is None
    assert "copy" not in names(cache)
    assert cache.forget(kind, copy) is None


def test_forgetting_what_is_not_known_names_nobody() -> None:
    assert filled().forget("Pod", child_body("other", 9)) is None


def test_a_run_that_is_gone_takes_its_refusal_along() -> None:
    cache = filled()
    assert cache.refuse("run-1", ("Forbidden", "quota")) == KEY
    assert cache.observed("run-1").refusal == ("Forbidden", "quota")
    cache.forget("TrainingRun", run_body(version=9))
    assert (cache.run(KEY), cache.observed("run-1").refusal) == (None, None)
    assert cache.refuse("run-1", ("Forbidden", "too late")) is None
    assert cache.observed("run-1").refusal is None


def test_a_refusal_is_news_once() -> None:
    cache = filled()
    refusal = ("Forbidden", "quota")
    told = [cache.refuse("run-1", refusal), cache.refuse("run-1", refusal), cache.refuse("run-1", None)]
    assert told == [KEY, None, KEY]


def test_a_run_that_is_made_again_under_its_name_replaces_the_one_before() -> None:
    """Even when nobody told that the one before is gone."""
    cache = filled()
    assert cache.put("TrainingRun", run_body(uid="run-2", version=20)) == KEY
    assert cache.put("TrainingRun", run_body(version=21)) is None
    run = cache.run(KEY)
    assert run is not None and run.uid == "run-2" and names(cache, "run-2") == []


def test_a_late_event_of_the_run_before_does_not_replace_the_new_one() -> None:
    cache = Cache()
    cache.put("TrainingRun", run_body(uid="run-2", version=20))
    assert cache.put("TrainingRun", run_body(uid="run-1", version=8)) is None
    run = cache.run(KEY)
    assert run is not None and run.uid == "run-2"


def test_a_ray_job_belongs_to_its_owner_whatever_its_label_says() -> None:
    cache = filled()
    cache.put("RayJob", child_body("mislabelled", 9, run_uid="another", owner="run-1"))
    assert "mislabelled" in names(cache)


def test_a_child_that_changes_hands_leaves_its_run() -> None:
    cache = filled()
    cache.put("TrainingRun", run_body(name="other", uid="somebody", version=8))
    cache.put("RayJob", child_body("job", 9, run_uid="another", owner="somebody"))
    assert names(cache) == ["cluster", "pod"] and names(cache, "somebody") == ["job"]


def test_children_come_in_one_order_whatever_the_order_of_events() -> None:
    bodies = [child_body(f"pod-{number}", 10 + number, attempt=number % 2) for number in range(6)]
    observed = []
    for order in (bodies, bodies[::-1]):
        cache = Cache()
        cache.put("TrainingRun", run_body())
        for body in order:
            cache.put("Pod", body)
        observed.append(cache.observed("run-1"))
    assert observed[0] == observed[1]


def test_a_list_shows_what_is_gone_but_not_what_is_younger_than_it() -> None:
    cache = filled()
    cache.put("Pod", child_body("young", 30))
    assert listed(cache, "Pod", "40", namespace="elsewhere") == set()
    assert names(cache) == ["job", "cluster", "pod", "young"]
    assert listed(cache, "Pod", "20") == {KEY}
    assert names(cache) == ["job", "cluster", "young"]
    assert listed(cache, "Pod", "40", namespace=NAMESPACE) == {KEY}
    assert names(cache) == ["job", "cluster"]


def test_what_is_read_of_a_list_is_not_known_before_the_list_is_complete() -> None:
    cache = filled()
    reading = cache.read("Pod", child_body("new", 9))
    assert names(cache) == ["job", "cluster", "pod"]
    assert cache.replace("Pod", None, [reading], {"uid-new"}, "10") == {KEY}
    assert names(cache) == ["job", "cluster", "new"]


def test_what_came_while_a_list_was_read_is_not_replaced_by_it() -> None:
    cache = filled()
    reading = cache.read("Pod", child_body("pod", 9))
    cache.put("Pod", child_body("pod", 12, conditions=READY))
    cache.replace("Pod", None, [reading], {"uid-pod"}, "10")
    assert cache.observed("run-1").pods[0].ready
    cache.forget("Pod", child_body("pod", 13))
    cache.replace("Pod", None, [reading], {"uid-pod"}, "10")
    assert "pod" not in names(cache)


def test_what_is_known_at_this_version_is_not_read_again() -> None:
    assert filled().read("Pod", child_body("pod", 8)).value is None


def test_sizes_and_newest_versions_are_by_kind() -> None:
    cache = filled()
    sizes = {"TrainingRun": 1, "RayJob": 1, "RayCluster": 1, "Pod": 1}
    assert cache.sizes() == {**sizes, "TrainingRuntime": 0, "ClusterTrainingRuntime": 0}
    assert (cache.newest("Pod"), cache.newest("RayJob"), cache.version("Pod", "uid-pod")) == (8, 6, "8")


def test_a_pod_is_found_by_its_uid() -> None:
    pod = filled().pod("uid-pod")
    assert pod is not None and pod.name == "pod" and filled().pod("uid-job") is None
