"""Runs that name one folder in storage: one of them trains, and the others say for whom they wait."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from seen_objects import NOW, UID, a_run, after_look, at, entry, seen, status, status_of, verdict

from trainingrun.lifecycle import decide
from trainingrun.lifecycle.permission import Creation, FirstWrite
from trainingrun.observed import Observed, RunObject, Sharer

STORAGE = {"uri": "s3://acme/runs", "runName": "digits"}
MINE = a_run(storage=STORAGE)
BEGUN = status(entry(0))
OVER = verdict("Failed", "UserError", entry(0, "Failed"))


def another(seconds: float = -3600, uid: str = "0000", **fields: Any) -> RunObject:
    """A run in the same folder, created so many seconds from now; MINE was a minute ago."""
    run = a_run(storage=STORAGE, status=fields.pop("status", None), deleting=fields.pop("deleting", False))
    return replace(run, namespace="vision", name="older", uid=uid, created=at(seconds), **fields)


def beside(run: RunObject, **fields: Any) -> Observed:
    return Observed(sharers=(Sharer(run, **fields),))


INVALID = {"run": None}


@pytest.mark.parametrize(
    ("what", "observed"),
    [
        ("one that is older", beside(another())),
        ("one that is as old, by its uid", beside(another(-60))),
        ("a younger one that has begun", beside(another(-5, status=BEGUN))),
        ("a younger one that is about to begin", beside(another(-5), is_chosen=True)),
        ("one that was chosen by a look before its spec became invalid", beside(another(status=BEGUN, **INVALID))),
        ("one that is being deleted and trains", beside(another(status=BEGUN, deleting=True))),
        ("one that is over, with pods that still end", beside(another(status=OVER), is_leaving=True)),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_run_waits_for(what: str, observed: Observed) -> None:
    decision = decide(MINE, observed, NOW)
    assert (decision.create, decision.waits_for) == (None, ("vision", "older"))
    written = status_of(MINE, observed, NOW)
    found = {condition["type"]: condition for condition in written["conditions"]}
    assert written["state"] == "Pending" and "attempts" not in written
    assert (found["Accepted"]["status"], found["Accepted"]["reason"]) == ("False", "FolderInUse")
    assert found["Accepted"]["message"].startswith("Run vision/older has the folder s3://acme/runs/digits")
    assert found["PodsReady"]["reason"] == "FolderInUse"
    assert (found["Stalled"]["status"], found["Reconciling"]["status"]) == ("False", "True")
    assert decide(after_look(MINE, observed), observed, NOW).status is None


@pytest.mark.parametrize(
    ("what", "observed"),
    [
        ("nobody", Observed()),
        ("one that is younger", beside(another(-5))),
        ("one that is as old, by its uid", beside(another(-60, uid="ffff"))),
        ("one that is over", beside(another(status=OVER))),
        ("one that is invalid and has not begun", beside(another(**INVALID))),
        ("one that is being deleted and has not begun", beside(another(deleting=True))),
        ("an older one, after this one was chosen", replace(beside(another()), is_chosen=True)),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_a_run_does_not_wait_for(what: str, observed: Observed) -> None:
    decision = decide(MINE, observed, NOW)
    assert (decision.create, decision.waits_for) == (Creation(0, FirstWrite()), None)


def test_one_that_has_begun_goes_on_beside_an_older_one() -> None:
    running = replace(MINE, status=BEGUN)
    observed = replace(seen("Running"), sharers=(Sharer(another()),))
    written = status_of(running, observed, NOW)
    assert written["state"] == "Running"
    accepted = next(condition for condition in written["conditions"] if condition["type"] == "Accepted")
    assert accepted["status"] == "True"


@pytest.mark.parametrize("seconds", [-3600, -60, -5])
@pytest.mark.parametrize("has_begun", [False, True])
def test_of_two_runs_exactly_one_waits(seconds: float, has_begun: bool) -> None:
    other = another(seconds, status=BEGUN if has_begun else None)
    mine = decide(MINE, beside(other), NOW).waits_for
    its = decide(other, beside(MINE), NOW).waits_for
    assert (mine is None) != (its is None)


def test_the_folder_is_named_once_the_run_has_begun() -> None:
    assert status_of(MINE, Observed(), NOW)["outputs"] == {"folderURI": "s3://acme/runs/digits"}
    assert status_of(a_run(), Observed(), NOW)["outputs"] == {"folderURI": f"s3://acme/runs/{UID}"}
