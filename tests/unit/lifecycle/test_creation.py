"""When the RayJob of an attempt is created, and when it must not be yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from seen_objects import (
    NOTHING,
    NOW,
    QUEUED,
    a_run,
    after_look,
    at,
    cluster,
    entry,
    job,
    pod,
    pods,
    seen,
    status,
    text_of,
    verdict,
)

from trainingrun.lifecycle import Decision, decide
from trainingrun.lifecycle.permission import Creation, FirstWrite, FreshRead
from trainingrun.observed import Observed, RunObject
from trainingrun.status.fields import MAX_INDEX

REFUSAL = ("Forbidden", "exceeded quota: gpus")
STRANGER = job("New", uid="job-of-a-stranger", owner_uid="somebody")
OVER = text_of(at(-1))


def pending(index: int, **fields: object) -> dict[str, object]:
    return entry(index, "Pending", rayJobUID=None, **fields)


def failed(index: int = 0, **fields: object) -> dict[str, object]:
    return entry(index, "Failed", failureClass="Infrastructure", counted=True, endTime=OVER, retryTime=OVER, **fields)


def creation(run: RunObject, observed: Observed = NOTHING, now: datetime = NOW) -> Creation | None:
    return decide(run, observed, now).create


def first_write() -> Creation:
    return Creation(0, FirstWrite())


def fresh_read(attempt: int) -> Creation:
    return Creation(attempt, FreshRead())


def test_a_new_run_gets_its_first_attempt_at_once() -> None:
    """No look at what exists is needed: the write of its first status proves that nobody was there before."""
    assert creation(a_run()) == first_write()


@pytest.mark.parametrize(
    ("what", "run", "observed"),
    [
        ("it is being deleted", a_run(deleting=True), NOTHING),
        ("its spec is invalid", replace(a_run(), run=None), NOTHING),
        ("it is to be suspended", a_run(suspend=True), NOTHING),
        ("its RayJob exists", a_run(), seen("New")),
        ("a RayCluster of it exists", a_run(), Observed(ray_clusters=(cluster(),))),
        ("a pod of it exists", a_run(), Observed(pods=(pod(deleting=True),))),
        ("it has just been refused", a_run(), Observed(refusal=REFUSAL)),
        ("a stranger has the name", a_run(), Observed(ray_jobs=(STRANGER,))),
        ("it waits in a queue", a_run(status=status(entry(0, "Pending")), labels=QUEUED), seen("Queued")),
        ("it runs", a_run(status=status(entry(0))), seen("Running")),
        ("its RayJob has just vanished", a_run(status=status(entry(0))), NOTHING),
        ("its RayJob is on its way out", a_run(status=status(entry(0))), seen("Running", deleting=True)),
        ("it has ended with success", a_run(status=status(entry(0))), seen("Complete")),
        ("it is suspended", a_run(suspend=True, status=status(entry(0, "Suspended"))), NOTHING),
        ("it is complete", a_run(status=verdict("Complete", "TrainingComplete", entry(0, "Complete"))), NOTHING),
        ("it has failed", a_run(status=verdict("Failed", "UserError", failed(0))), NOTHING),
        ("a pod of the last attempt exists", a_run(status=status(failed())), Observed(pods=(pod(deleting=True),))),
        ("numbers have run out", a_run(status=status(failed(MAX_INDEX))), NOTHING),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_nothing_is_created_while(what: str, run: RunObject, observed: Observed) -> None:
    assert creation(run, observed) is None
    assert creation(after_look(run, observed), observed) is None


def test_the_next_attempt_is_recorded_before_it_is_created() -> None:
    run = a_run(status=status(failed()))
    assert creation(run) is None
    recorded = after_look(run, NOTHING)
    assert [attempt["outcome"] for attempt in recorded.status["attempts"]] == ["Failed", "Pending"]
    assert creation(recorded) == fresh_read(1)


def test_back_off_is_waited_for() -> None:
    run = a_run(status=status({**failed(), "retryTime": text_of(at(20))}))
    assert creation(after_look(run, NOTHING, at(19)), now=at(19)) is None
    assert creation(after_look(run, NOTHING, at(20)), now=at(20)) == fresh_read(1)


def test_a_clock_that_was_set_back_does_not_prolong_the_back_off() -> None:
    run = a_run(status=status({**failed(), "retryTime": text_of(at(3600))}))
    assert creation(after_look(run, NOTHING)) == fresh_read(1)


def test_a_first_attempt_that_does_not_come_into_view_is_made_sure_of() -> None:
    """Its create may have been lost with the operator that sent it."""
    run = after_look(a_run(), NOTHING)
    assert creation(run, now=at(2)) is None
    assert creation(run, now=at(3)) == fresh_read(0)


def test_a_refused_attempt_is_tried_again_when_its_time_has_come() -> None:
    refused = Observed(refusal=REFUSAL)
    run = after_look(after_look(a_run(), NOTHING), refused, at(1))
    due = datetime.fromisoformat(run.status["attempts"][0]["createRetryTime"])
    assert creation(run, refused, at(2)) is None
    assert creation(run, refused, due) == fresh_read(0)


def test_what_another_operator_was_refused_is_not_tried_at_once_either() -> None:
    run = a_run(status=status(pending(1, createRetryTime=text_of(at(15)))))
    assert creation(run) is None
    assert creation(run, now=at(15)) == fresh_read(1)


def test_a_name_is_free_again_when_the_stranger_is_gone() -> None:
    run = after_look(a_run(), Observed(ray_jobs=(STRANGER,)))
    assert creation(run, Observed(ray_jobs=(STRANGER,)), at(60)) is None
    assert creation(run, now=at(60)) == fresh_read(0)


def test_a_stranger_with_another_name_is_in_nobody_s_way() -> None:
    other = job("Running", uid="s", owner_uid="somebody", name="other", attempt=0)
    assert creation(a_run(), Observed(ray_jobs=(other,))) == first_write()


def test_after_a_suspension_the_next_attempt_follows_without_a_pause() -> None:
    resumed = after_look(a_run(status=status(entry(0, "Suspended"))), NOTHING)
    assert creation(resumed) == fresh_read(1)


def test_a_run_that_was_suspended_from_the_start_begins_with_attempt_zero() -> None:
    waiting = after_look(a_run(suspend=True), NOTHING)
    resumed = after_look(replace(waiting, run=a_run().run, spec=a_run().spec), NOTHING, at(60))
    assert creation(resumed, now=at(70)) == fresh_read(0)


@pytest.mark.parametrize(("limit", "expected"), [(0, None), (1, 1)])
def test_backoff_limit_bounds_the_attempts(limit: int, expected: int | None) -> None:
    run = a_run(status=status(entry(0)), backoffLimit=limit)
    lost = after_look(run, Observed(ray_jobs=(job("Failed", reason="SubmissionFailed"),), pods=pods()))
    ready = after_look(lost, NOTHING, at(10))
    created = creation(ready, now=at(10))
    assert (created.attempt if created else None) == expected


def test_a_preemption_is_tried_again_however_often() -> None:
    preempted = entry(7, "Failed", failureClass="Preempted", retryTime=OVER, endTime=OVER)
    assert creation(after_look(a_run(status=status(preempted), backoffLimit=0), NOTHING)) == fresh_read(8)


def test_the_plan_of_a_run_that_is_being_deleted_is_empty() -> None:
    """Everything of it is the garbage collector's."""
    run = a_run(deleting=True, status=status(failed()))
    assert decide(run, seen("Failed"), NOW) == Decision()
