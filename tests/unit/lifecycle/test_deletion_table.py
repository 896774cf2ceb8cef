"""Each cell of the table of deletions: whose an object is, against how the newest attempt stands."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from seen_objects import NOW, a_run, after_look, at, cluster, entry, job, status, text_of, verdict

from trainingrun.lifecycle import decide
from trainingrun.lifecycle.deletions import RAY_CLUSTERS, RAY_JOBS, Rule, Stands, Whose
from trainingrun.observed import Observed, RayCluster, RayJob, RunObject

NEWEST = 3
ENDED = {"endTime": text_of(at(-10)), "failureClass": "Infrastructure"}
# The newest attempt, and the run that has it.
RUNS: dict[Stands, tuple[dict[str, Any], dict[str, Any]]] = {
    Stands.LIVE: (entry(NEWEST), {}),
    Stands.STOPPING: (entry(NEWEST, stopping=True), {"suspend": True}),
    Stands.ENDED: (entry(NEWEST, "Failed", retryTime=text_of(at(60)), **ENDED), {}),
    Stands.OVER: (entry(NEWEST, "Failed", **ENDED), {"clusterTTLSecondsAfterFinished": {"onFailure": 100}}),
}
NUMBERS = {Whose.OLDER: 1, Whose.CURRENT: NEWEST, Whose.NEWER: 5, Whose.UNKNOWN: -1}
OWN = job("Running", NEWEST)


def the_run(stands: Stands) -> RunObject:
    newest, spec = RUNS[stands]
    remembered = verdict("Failed", "UserError", newest) if stands is Stands.OVER else status(newest)
    return a_run(status=remembered, **spec)


def the_ray_job(whose: Whose) -> RayJob:
    if whose is Whose.CURRENT:
        return OWN
    if whose is Whose.REPLACED:
        return job("Running", NEWEST, uid="of-the-same-name")
    return job("Running", NUMBERS[whose], uid="this", name="this")


def deleted(run: RunObject, observed: Observed, seconds: float = 0) -> list[str]:
    return [reference.uid for reference in decide(run, observed, at(seconds)).delete]


def test_every_cell_has_a_rule() -> None:
    assert set(RAY_JOBS) == set(product(Whose, Stands))
    assert set(RAY_CLUSTERS) == set(product(set(Whose) - {Whose.REPLACED}, Stands))


# A later RayJob than any that status knows is taken up as the newest attempt, unless the run is over.
TAKEN_UP = {(Whose.NEWER, stands) for stands in (Stands.LIVE, Stands.STOPPING, Stands.ENDED)}


@pytest.mark.parametrize(("whose", "stands"), sorted(set(RAY_JOBS) - TAKEN_UP, key=str), ids=lambda it: it.name)
def test_a_ray_job_goes_by_its_cell(whose: Whose, stands: Stands) -> None:
    ray_job = the_ray_job(whose)
    goes = deleted(the_run(stands), Observed((ray_job,)))
    expected = {Rule.KEEP: [], Rule.DELETE: [ray_job.uid], Rule.DELETE_UNLESS_DONE: [ray_job.uid]}
    assert goes == expected[RAY_JOBS[whose, stands]]


@pytest.mark.parametrize(("phase", "goes"), [("Running", True), ("Complete", False), ("Failed", False)])
def test_a_finished_run_keeps_a_ray_job_that_kuberay_is_done_with(phase: str, goes: bool) -> None:
    kept = job(phase, NEWEST)
    assert deleted(the_run(Stands.OVER), Observed((kept,))) == ([kept.uid] if goes else [])


def the_ray_cluster(whose: Whose) -> RayCluster:
    return cluster(NUMBERS[whose], uid="this")


@pytest.mark.parametrize(("whose", "stands"), sorted(RAY_CLUSTERS, key=str), ids=lambda it: it.name)
def test_a_ray_cluster_goes_by_its_cell(whose: Whose, stands: Stands) -> None:
    """The RayJobs of the older attempts are gone; that of the newest is there while it lives."""
    jobs = (OWN,) if stands is Stands.LIVE else ()
    observed = Observed(jobs, (the_ray_cluster(whose),))
    rule = RAY_CLUSTERS[whose, stands]
    assert deleted(the_run(stands), observed) == (["this"] if rule is Rule.DELETE_AFTER_RAY_JOB else [])
    if rule is Rule.DELETE_AFTER_TTL:
        assert deleted(the_run(stands), observed, 89) == []
        assert deleted(the_run(stands), observed, 90) == ["this"]


@pytest.mark.parametrize("stands", [Stands.STOPPING, Stands.ENDED])
def test_a_ray_cluster_waits_for_its_ray_job(stands: Stands) -> None:
    """KubeRay would make it again; only the RayJob goes."""
    assert deleted(the_run(stands), Observed((OWN,), (cluster(NEWEST, uid="this"),))) == [OWN.uid]


def test_a_suspension_ends_although_a_different_ray_job_has_the_name_of_the_one_that_it_stops() -> None:
    """Somebody deleted the RayJob, and one that was created late by an operator that was slow is in its place."""
    late = job("New", NEWEST, uid="created-late")
    run = the_run(Stands.STOPPING)
    assert deleted(run, Observed((late,))) == ["created-late"]
    ended = after_look(run, Observed(), NOW)
    assert (ended.status["state"], ended.status["attempts"][-1]["outcome"]) == ("Suspended", "Suspended")
