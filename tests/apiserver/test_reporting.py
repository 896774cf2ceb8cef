"""Training's reports reach the status of their run, and no other: who reports, the real API server says."""

from __future__ import annotations

import time

import pytest
from control_plane import ControlPlane
from operator_process import OperatorProcess
from progress_reports import AUDIENCE, head_of, report
from raw_client import RawClient
from training_runs import TrainingRuns

pytestmark = pytest.mark.usefixtures("kuberay", "kubelet")


def test_a_report_of_a_run_s_pod_is_in_its_status(
    control_plane: ControlPlane, runs: TrainingRuns, admin: RawClient, operator: OperatorProcess
) -> None:
    runs.apply("reporting")
    # Training reports when it trains.
    runs.until("reporting", "Reconciling", reason="Training")
    # Times of the status are whole seconds: in an attempt's first one, its reports look like those of the one before.
    time.sleep(1.1)
    token = control_plane.token_of(runs.namespace, "default", [AUDIENCE], head_of(admin, runs.namespace, "reporting"))
    told = {"dataStallPercentage": "31.5", "dataStallReadPercentage": "30", "checkpoint": "checkpoint-7"}
    assert report(operator.progress_url, runs.namespace, "reporting", token, 42, **told) == 200
    starved = runs.until("reporting", "DataStarved")
    assert starved["reason"] == "StallAboveLimit"
    status = runs.status("reporting")
    assert status["trainerStatus"]["progressPercentage"] == 42
    assert status["outputs"]["last"]["uri"].endswith("checkpoint-7")
    writers = {
        entry["manager"]: entry.get("subresource") for entry in runs.get("reporting")["metadata"]["managedFields"]
    }
    assert writers["trainingrun-progress"] == writers["trainingrun-operator"] == "status"


def test_who_is_no_pod_of_the_run_cannot_report_for_it(
    control_plane: ControlPlane, runs: TrainingRuns, admin: RawClient, operator: OperatorProcess
) -> None:
    runs.apply("mine")
    runs.apply("theirs")
    theirs = head_of(admin, runs.namespace, "theirs")
    tokens = {
        "of a pod of another run": control_plane.token_of(runs.namespace, "default", [AUDIENCE], theirs),
        "of no pod": control_plane.token_of(runs.namespace, "default", [AUDIENCE]),
        "for another audience": control_plane.token_of(runs.namespace, "default", [], theirs),
    }
    answers = {
        whose: report(operator.progress_url, runs.namespace, "mine", token, 99) for whose, token in tokens.items()
    }
    assert answers == {"of a pod of another run": 403, "of no pod": 401, "for another audience": 401}
    assert "trainerStatus" not in runs.status("mine")
