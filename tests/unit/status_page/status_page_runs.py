"""TrainingRuns as an API server holds them, in every state that a run can be in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
STORAGE = "s3://acme/runs"
CHECKPOINT = f"{STORAGE}/5f4c1f0a/checkpoint_000009"


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-09-01T10:00:00Z",
        "observedGeneration": 1,
    }


def run(state: str | None, *conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    """A run of two trainers and two to sixteen data nodes, created two hours before NOW."""
    body: dict[str, Any] = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {
            "name": "mnist",
            "namespace": "training",
            "uid": "5f4c1f0a",
            "generation": 1,
            "creationTimestamp": "2026-09-01T10:00:00Z",
        },
        "spec": {
            "image": "trainer:1",
            "trainer": {"numNodes": 2},
            "data": {"numNodes": 2, "maxNodes": 16},
            "storage": {"uri": STORAGE},
        },
        "status": {"observedGeneration": -1},
    }
    if state is not None:
        body["status"] = {"observedGeneration": 1, "state": state, "conditions": list(conditions), **status}
    return body


def attempt(index: int, outcome: str, **more: Any) -> dict[str, Any]:
    times = {"startTime": f"2026-09-01T10:{10 + 20 * index}:00Z", "rayJobName": f"mnist-ck4to-{index}"}
    if outcome not in ("Pending", "Running"):
        times["endTime"] = f"2026-09-01T10:{25 + 20 * index}:30Z"
    return {"index": index, "outcome": outcome, **times, **more}


def trainer_status(percent: int, **metrics: float | str) -> dict[str, Any]:
    return {"progressPercentage": percent, "metrics": named(**metrics), "lastUpdatedTime": "2026-09-01T11:59:52Z"}


def named(**metrics: float | str) -> list[dict[str, str]]:
    return [{"name": name, "value": str(value)} for name, value in metrics.items()]


TRAINING = {
    "currentEpoch": 5,
    "totalEpochs": 10,
    "step": 1234,
    "loss": 0.2347,
    "rowsPerSecond": 12400.0,
    "goodputPercentage": 93.0,
    "checkpoint": "checkpoint_000009",
    "dataStallPercentage": 34.0,
    "dataStallSteadyPercentage": 31.0,
    "dataStallProductionPercentage": 30.0,
    "dataStallTransferPercentage": 4.0,
}


def running() -> dict[str, Any]:
    return run(
        "Running",
        condition("PodsReady", "True", "AllPodsReady", "5 of 5 pods are ready."),
        condition("DataStarved", "True", "StallAboveLimit", "Trainers wait for data for 34 % of their time."),
        condition("Reconciling", "True", "Training", "Attempt 1 is training."),
        attempts=[
            attempt(0, "Failed", failureClass="Preempted", node="gke-x7", message="node gke-x7 was reclaimed"),
            attempt(1, "Running", resumedFrom="checkpoint_000007"),
        ],
        pods="5/5",
        startTime="2026-09-01T10:10:00Z",
        trainerStatus={**trainer_status(45, **TRAINING), "estimatedRemainingSeconds": 7200},
        dataStatus={"readyNodes": 2, "stallPercentage": 34, "cause": "Production", "rowsPerSecond": 12400.0},
        outputs={"last": {"uri": CHECKPOINT}},
        links={"dashboardURL": "http://mnist-ck4to-1-head-svc.training.svc:8265"},
    )


def _new() -> dict[str, Any]:
    body = run(None)
    body["metadata"]["creationTimestamp"] = "2026-09-01T11:59:55Z"
    return body


def _queued() -> dict[str, Any]:
    body = run(
        "Queued",
        condition("Admitted", "False", "Queued", "Queue ml has not admitted RayJob mnist-ck4to-0 yet."),
        attempts=[attempt(0, "Pending")],
    )
    body["metadata"]["labels"] = {"kueue.x-k8s.io/queue-name": "ml"}
    return body


def _without_runtime() -> dict[str, Any]:
    words = (
        "spec.runtimeRef: there is no ClusterTrainingRuntime gpu that the operator can see; "
        "the run begins once it exists."
    )
    waits = [condition(kind, "False", "RuntimeNotFound", words) for kind in ("Accepted", "Admitted", "PodsReady")]
    body = run("Pending", *waits, condition("Reconciling", "True", "RuntimeNotFound", words))
    body["spec"] = {"runtimeRef": {"kind": "ClusterTrainingRuntime", "name": "gpu"}}
    return body


def _deleting() -> dict[str, Any]:
    body = running()
    body["metadata"]["deletionTimestamp"] = "2026-09-01T11:59:00Z"
    return body


_TRACEBACK = (
    "ValueError: 11 classes in the data, 10 in the model\nin step, training.py line 41\nin run, driver.py line 90"
)

# The name of a page's file, and the run that it is about.
STATES = {
    "new": _new(),
    "unseen": run(None),
    "pending": run("Pending", condition("Accepted", "True", "Valid", "The spec is valid.")),
    "refused": run(
        "Pending",
        condition("Reconciling", "True", "QuotaExceeded", "exceeded quota: gpus, requested: 2, used: 8, limited: 8"),
    ),
    "without-runtime": _without_runtime(),
    "queued": _queued(),
    "starting": run(
        "Starting",
        condition(
            "PodsReady",
            "False",
            "Unschedulable",
            "0/12 nodes are available: 8 Insufficient nvidia.com/gpu, 4 node(s) had untolerated taint.",
        ),
        condition("Reconciling", "True", "Starting", "The cluster of attempt 0 is starting."),
        attempts=[attempt(0, "Running")],
        pods="3/5",
    ),
    "running": running(),
    "deleting": _deleting(),
    "restarting": run(
        "Restarting",
        condition("Reconciling", "True", "Restarting", "Attempt 1 follows at 12:00:20 UTC."),
        attempts=[
            attempt(0, "Failed", failureClass="Infrastructure", exitCode=14, message="raylet died", headRestarts=1)
        ],
        failures=1,
        outputs={"last": {"uri": CHECKPOINT}},
    ),
    "suspected": run(
        "Running",
        condition("Reconciling", "True", "Training", "Attempt 0 is training."),
        attempts=[attempt(0, "Running")],
        suspected={
            "attempt": 0,
            "failureClass": "ImagePull",
            "message": "ErrImagePull: not found",
            "pod": "mnist-ck4to-0-trainer",
            "node": "gke-x7",
            "since": "2026-09-01T11:59:30Z",
            "until": "2026-09-01T12:04:30Z",
        },
        outputs={"folderURI": f"{STORAGE}/5f4c1f0a"},
    ),
    "suspending": run(
        "Suspending",
        condition("Suspended", "False", "Suspending", "Attempt 0 saves a checkpoint and ends."),
        attempts=[attempt(0, "Running")],
    ),
    "suspended": run(
        "Suspended",
        condition("Suspended", "True", "Suspended", "spec.suspend is true."),
        attempts=[attempt(0, "Suspended")],
        outputs={"last": {"uri": CHECKPOINT}},
    ),
    "complete": run(
        "Complete",
        condition("Complete", "True", "TrainingComplete", "Training completed in attempt 0."),
        attempts=[attempt(0, "Complete", exitCode=0)],
        startTime="2026-09-01T10:10:00Z",
        completionTime="2026-09-01T11:10:00Z",
        trainerStatus=trainer_status(100, currentEpoch=11, totalEpochs=10, dataStallPercentage=2.0),
        outputs={
            "last": {"uri": CHECKPOINT, "step": 46880, "metrics": named(loss=0.2347)},
            "best": {
                "uri": f"{STORAGE}/5f4c1f0a/best",
                "step": 42192,
                "metrics": named(loss=0.2411, validation_accuracy=0.9712),
            },
        },
    ),
    "failed": run(
        "Failed",
        condition(
            "Failed", "True", "UserError", "Attempt 0 failed: ValueError: 11 classes in the data, 10 in the model"
        ),
        condition("Stalled", "True", "UserError", "Attempt 0 failed."),
        attempts=[attempt(0, "Failed", failureClass="UserError", exitCode=13, message=_TRACEBACK)],
        startTime="2026-09-01T10:10:00Z",
        completionTime="2026-09-01T10:25:30Z",
        outputs={"folderURI": f"{STORAGE}/5f4c1f0a", "last": {"uri": CHECKPOINT}},
    ),
    "invalid": run(
        "Invalid",
        condition("Accepted", "False", "InvalidSpec", "spec.trainer.numNodes: found 0, allowed: 1 to 1000"),
    ),
}
