"""The kubelet starts a head's container again in the same pod: that is a lost head like any other."""

from __future__ import annotations

from typing import Any

import pytest
from seen_objects import (
    NOW,
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
    settled,
    status,
    status_of,
    text_of,
)

from trainingrun.lifecycle import decide
from trainingrun.observed import Observed, RunObject


def restarted(times: int, phase: str = "Running", **fields: Any) -> Observed:
    """A head whose container was started again so often; the pod is still the same."""
    return Observed(
        (job(phase),), (cluster(),), (pod("head", restarts=times, **fields), *pods()[1:]), reports_since=NOW
    )


def running(failures: int = 0, **spec: Any) -> RunObject:
    return a_run(status=status(entry(), failures=failures), **spec)


def newest(run: RunObject, observed: Observed, seconds: float = 0) -> dict[str, Any]:
    attempt: dict[str, Any] = status_of(run, observed, at(seconds))["attempts"][-1]
    return attempt


def test_a_head_that_was_started_again_in_its_pod_counts_and_is_told() -> None:
    decision = decide(running(), restarted(1), NOW)
    assert decision.status is not None
    attempt = decision.status["attempts"][-1]
    assert (attempt["headRestarts"], attempt["outcome"], decision.status["failures"]) == (1, "Running", 1)
    assert [event.reason for event in decision.events if event.type == "Warning"] == ["HeadLost"]


def test_it_counts_once_also_where_a_cache_shows_the_past_again() -> None:
    run = after_look(running(), restarted(2))
    assert newest(run, restarted(2), 3)["headRestarts"] == 2
    assert newest(run, restarted(1), 3)["headRestarts"] == 2
    assert newest(after_look(run, restarted(1), at(3)), restarted(2), 4)["headRestarts"] == 2


@pytest.mark.parametrize(
    ("times", "outcome", "failures"), [(3, "Running", 3), (4, "Failed", 4), (50, "Failed", 4)], ids=str
)
def test_such_heads_are_bounded_by_backoff_limit(times: int, outcome: str, failures: int) -> None:
    written = status_of(running(), restarted(times), NOW)
    attempt = written["attempts"][-1]
    assert (attempt["outcome"], written["failures"]) == (outcome, failures)
    if outcome == "Failed":
        assert (attempt["failureClass"], attempt["pod"], attempt["node"]) == ("HeadLost", "mnist-0-head", "node-1")
        assert written["state"] == "Failed"


def test_a_replaced_head_and_one_started_again_spend_from_the_same_budget() -> None:
    run = after_look(running(failures=2), restarted(1))
    second = Observed((job(),), (cluster(),), (pod("head", name="second"), *pods()[1:]))
    assert newest(run, second, 5)["outcome"] == "Failed"


def test_a_pod_that_comes_with_restarts_is_counted_as_one_new_head() -> None:
    second = Observed((job(),), (cluster(),), (pod("head", name="second", restarts=3), *pods()[1:]))
    assert newest(running(), second)["headRestarts"] == 1
    assert newest(after_look(running(), second), second, 5)["headRestarts"] == 1


def test_while_the_cluster_starts_the_start_deadline_is_the_bound() -> None:
    run = a_run(status=status(entry(0, "Pending", startTime=text_of(at(-30)), admitted=True)))
    starting = after_look(run, restarted(0, "Starting", ready=False))
    again = after_look(starting, restarted(5, "Starting", ready=False), at(20))
    assert (again.status["attempts"][-1]["headRestarts"], again.status["failures"]) == (0, 0)
    assert newest(again, restarted(5), 40)["headRestarts"] == 0


def test_a_head_out_of_memory_ends_the_run_also_where_it_was_started_again() -> None:
    killed = restarted(1, terminations=ended_container(container="ray-head"))
    assert newest(running(), killed)["failureClass"] == "OutOfMemory"


def test_training_has_the_whole_time_for_its_next_report() -> None:
    run = a_run(status=status(entry()), progressDeadlineSeconds=100)
    again = after_look(run, restarted(1), at(60))
    assert newest(again, restarted(1), 159)["outcome"] == "Running"
    assert settled(again, restarted(1), at(160))["attempts"][-1]["failureClass"] == "Hang"


def test_what_an_older_operator_did_not_record_is_not_counted() -> None:
    old = a_run(status=status(entry(headContainerRestarts=None)))
    looked = after_look(old, restarted(7))
    assert looked.status["attempts"][-1]["headRestarts"] == 0
    assert newest(looked, restarted(8), 5)["headRestarts"] == 1


def test_workers_that_are_started_again_are_rays_business() -> None:
    """Ray Train resumes within the attempt, as often as its driver lets it."""
    workers = tuple(pod(group, restarts=9) for group in ("data", "trainer"))
    observed = Observed((job(),), (cluster(),), (pod("head"), *workers))
    assert newest(running(), observed)["headRestarts"] == 0
    assert newest(running(), seen("Running"))["outcome"] == "Running"
