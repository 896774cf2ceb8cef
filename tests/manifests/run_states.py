"""A TrainingRun as the API server holds it in each state, with the status that the operator itself would write."""

from __future__ import annotations

from typing import Any

from seen_objects import QUEUED, a_run, entry, ray_said, seen, settled

from trainingrun.observed import Observed, RunObject

Object = dict[str, Any]
_NOTHING = Observed()


def objects() -> dict[str, Object]:
    """One of each state, by the state's name."""
    made = {
        "Pending": written(a_run(), _NOTHING),
        "Queued": written(a_run(labels=QUEUED, status=status(entry(outcome="Pending"))), seen("Queued")),
        "Starting": written(a_run(status=status(entry(outcome="Pending"))), seen("Starting", ready=False)),
        "Running": written(a_run(status=status(entry())), seen("Running")),
        "Restarting": written(a_run(status=status(entry())), seen("Failed", **ray_said(14))),
        "Suspending": written(a_run(suspend=True, status=status(entry())), seen("Running")),
        "Suspended": written(a_run(suspend=True), _NOTHING),
        "Complete": written(a_run(status=status(entry())), seen("Complete", exit_code=0)),
        "Failed": written(a_run(status=status(entry())), seen("Failed", **ray_said(13))),
        "Invalid": written(a_run(recipe=None), _NOTHING),
    }
    assert {name: body["status"]["state"] for name, body in made.items()} == {name: name for name in made}
    return made


def unseen() -> dict[str, Object]:
    """Runs of which the operator has not said anything yet, or nothing about what is in the spec now."""
    complete = objects()["Complete"]
    return {
        "with the default status": {**complete, "status": {"observedGeneration": -1}},
        "changed since": {**complete, "metadata": {**complete["metadata"], "generation": 2}},
    }


def status(*attempts: Object) -> Object:
    """A status that remembers these attempts."""
    return {"observedGeneration": 1, "attempts": list(attempts)}


def written(run: RunObject, observed: Observed) -> Object:
    """The object after the operator has looked until it is sure, and written its status."""
    body = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": run.name, "namespace": run.namespace, "uid": run.uid, "generation": run.generation},
        "spec": {},
        "status": settled(run, observed),
    }
    return body
