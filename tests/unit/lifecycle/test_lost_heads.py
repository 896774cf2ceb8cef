"""KubeRay replaces a lost head, and a queue takes machines away, without a word: both are seen, counted and limited."""

from __future__ import annotations

from typing import Any

import pytest
from seen_objects import (
    NOW,
    QUEUED,
    a_run,
    after_look,
    at,
    cluster,
    ended_container,
    entry,
    job,
    pod,
    pods,
    seen,
    status,
    status_of,
)

from trainingrun.observed import Observed, Pod, RunObject

OLD_HEAD = "uid-mnist-0-head"


def newest(run: RunObject, observed: Observed, seconds: float = 0) -> dict[str, Any]:
    attempt: dict[str, Any] = status_of(run, observed, at(seconds))["attempts"][-1]
    return attempt


def running(**spec: Any) -> RunObject:
    return a_run(status=status(entry()), **spec)


def with_head(head: Pod, **fields: Any) -> Observed:
    return Observed((job(**fields),), (cluster(),), (head, *pods()[1:]))


SECOND_HEAD = with_head(pod("head", name="second", created=at(-5)))


def test_another_head_is_a_head_restart_that_counts() -> None:
    written = status_of(running(), SECOND_HEAD, NOW)
    looked = written["attempts"][-1]
    assert (looked["headRestarts"], looked["outcome"], written["failures"]) == (1, "Running", 1)
    assert (looked["headPodUID"], looked["formerHeadPodUIDs"]) == ("uid-second", [OLD_HEAD])


def test_a_head_that_a_stale_cache_shows_again_is_no_restart() -> None:
    run = after_look(running(), SECOND_HEAD)
    again = newest(run, seen("Running"), 3)
    assert (again["headRestarts"], again["headPodUID"]) == (1, "uid-second")


def test_a_head_on_its_way_out_is_not_replaced_yet() -> None:
    going = with_head(pod("head", deleting=True))
    assert newest(running(), going)["headRestarts"] == 0


@pytest.mark.parametrize(
    ("end", "failure_class", "failures"),
    [
        ({"disrupted": "EvictionByEvictionAPI: drained"}, "preemptions", 0),
        ({"status_reason": "Evicted"}, "headRestarts", 1),
        ({}, "headRestarts", 1),
    ],
    ids=["drained", "evicted", "without a word"],
)
def test_a_lost_head_counts_by_the_cause_that_was_seen(end: dict[str, str], failure_class: str, failures: int) -> None:
    """Its pod may be gone when the next one comes."""
    ending = after_look(running(), with_head(pod("head", ready=False, phase="Failed", **end)))
    written = status_of(ending, SECOND_HEAD, at(5))
    assert (written["attempts"][-1][failure_class], written["failures"]) == (1, failures)


def test_a_head_out_of_memory_ends_the_run_before_kuberay_makes_another() -> None:
    killed = pod("head", terminations=ended_container(container="ray-head"))
    written = status_of(running(), with_head(killed), NOW)
    assert (written["state"], written["attempts"][-1]["failureClass"]) == ("Failed", "OutOfMemory")


def test_a_rule_may_let_a_head_out_of_memory_be_replaced() -> None:
    rules = {"rules": [{"action": "Count", "onClasses": ["OutOfMemory"]}]}
    killed = pod("head", terminations=ended_container(container="ray-head"))
    assert newest(running(failurePolicy=rules), with_head(killed))["outcome"] == "Running"


@pytest.mark.parametrize(("before", "outcome"), [(2, "Running"), (3, "Failed")], ids=["allowed", "one too many"])
def test_heads_are_lost_as_often_as_backoff_limit_allows(before: int, outcome: str) -> None:
    written = status_of(a_run(status=status(entry(), failures=before)), SECOND_HEAD, NOW)
    assert (written["attempts"][-1]["outcome"], written["failures"]) == (outcome, before + 1)


def test_a_cluster_that_was_taken_away_is_a_preemption_and_no_lost_head() -> None:
    other = with_head(pod("head", name="second"), ray_cluster_name="another")
    written = status_of(running(), other, NOW)
    looked = written["attempts"][-1]
    assert (looked["preemptions"], looked["headRestarts"], written["failures"]) == (1, 0, 0)


def test_a_queue_that_takes_the_machines_away_preempts_the_attempt() -> None:
    taken = after_look(a_run(status=status(entry()), labels=QUEUED), seen("Queued"))
    looked = taken.status["attempts"][-1]
    assert (looked["preemptions"], looked["outcome"], looked["admitted"]) == (1, "Pending", False)
    back = newest(taken, SECOND_HEAD, 60)
    assert (back["preemptions"], back["headRestarts"], back["outcome"]) == (1, 0, "Running")


def test_a_rule_may_end_a_run_that_its_queue_preempts() -> None:
    rules = {"rules": [{"action": "Fail", "onClasses": ["Preempted"]}]}
    written = status_of(a_run(status=status(entry()), labels=QUEUED, failurePolicy=rules), seen("Queued"), NOW)
    assert written["state"] == "Failed"
