"""What the operator writes into a status is what the definition lets it write."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
from schemas import json_schema

from trainingrun.contract.labels import ATTEMPT_KEY
from trainingrun.crd.definition import run_schema
from trainingrun.lifecycle import decide
from trainingrun.observed import Observed, ray_job_of, run_object_of
from trainingrun.status.conditions import Reason
from trainingrun.status.reported_fields import RunStatus

SCHEMA = run_schema()["properties"]["status"]
VALIDATOR = jsonschema.Draft4Validator(json_schema(SCHEMA))
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = {
    "image": "trainer:1",
    "recipe": {"dataset": {"train": {"format": "Parquet", "path": "/data/train"}}},
    "storage": {"uri": "s3://bucket/runs"},
}
FAILED = {
    "observedGeneration": 1,
    "state": "Restarting",
    "conditions": [],
    "attempts": [{"index": 0, "rayJobName": "mnist-0", "outcome": "Failed", "message": "\u20ac" * 1024}],
}


def body(spec: Any, status: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "mnist", "namespace": "ml", "uid": "6f0c", "generation": 1, **metadata},
        "spec": spec,
        "status": status or {"observedGeneration": -1},
    }


def ray_job(**status: Any) -> dict[str, Any]:
    labels = {ATTEMPT_KEY: "0"}
    owner = {"kind": "TrainingRun", "name": "mnist", "uid": "6f0c", "controller": True}
    return {
        "metadata": {"name": "mnist-0", "uid": "a1", "labels": labels, "ownerReferences": [owner]},
        "status": status,
    }


OBSERVED = {
    "nothing": Observed(),
    "running": Observed(ray_jobs=(ray_job_of(ray_job(jobStatus="RUNNING", jobDeploymentStatus="Running")),)),
    "failed": Observed(ray_jobs=(ray_job_of(ray_job(jobStatus="FAILED", message="\u20ac" * 20_000)),)),
    "refused": Observed(refusal=("QuotaExceeded", "x" * 40_000)),
}
RUNS = {
    "new": body(SPEC),
    "invalid": body({**SPEC, **{f"field{index}": 1 for index in range(500)}}),
    "suspended": body({**SPEC, "suspend": True}),
    "failed once": body(SPEC, FAILED),
    "written by somebody else": body(
        SPEC, {"state": "Bored", "conditions": "none", "attempts": [{"index": "x"}, None]}
    ),
}


@pytest.mark.parametrize("seen", OBSERVED)
@pytest.mark.parametrize("run", RUNS)
def test_every_status_is_accepted(run, seen):
    status = decide(run_object_of(RUNS[run]), OBSERVED[seen], NOW).status
    assert [error.message[-200:] for error in VALIDATOR.iter_errors(status)] == []
    assert status["observedGeneration"] == 1


def test_every_reason_is_one_that_kubernetes_takes():
    pattern = SCHEMA["properties"]["conditions"]["items"]["properties"]["reason"]["pattern"]
    assert [reason for reason in Reason if not re.fullmatch(pattern[1:-1], reason)] == []


def test_the_status_is_the_one_of_the_models():
    assert set(SCHEMA["properties"]) == {field.alias for field in RunStatus.model_fields.values()}
    assert SCHEMA["default"] == {"observedGeneration": -1}
    # Either writer may be the first.
    assert "required" not in SCHEMA
