"""What Argo CD and Flux say of a run in each state, by their own code and by our health checks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import recorded_objects
import run_states
import yaml
from rendering import ROOT

from trainingrun.crd.definition import custom_resource_definition

GITOPS = ROOT / "manifests" / "gitops"
# State: Argo CD's health, kstatus, and Flux by each of the two health checks.
EXPECTED = {
    "Pending": ("Progressing", "InProgress", "InProgress", "InProgress"),
    "Queued": ("Progressing", "InProgress", "InProgress", "InProgress"),
    "Starting": ("Progressing", "InProgress", "InProgress", "InProgress"),
    "Running": ("Progressing", "InProgress", "InProgress", "Current"),
    "Restarting": ("Progressing", "InProgress", "InProgress", "InProgress"),
    "Suspending": ("Progressing", "InProgress", "InProgress", "InProgress"),
    "Suspended": ("Suspended", "Current", "InProgress", "Current"),
    "Complete": ("Healthy", "Current", "Current", "Current"),
    "Failed": ("Degraded", "Failed", "Failed", "Failed"),
    "Invalid": ("Degraded", "Failed", "Failed", "Failed"),
    "with the default status": ("Progressing", "InProgress", "InProgress", "InProgress"),
    "changed since": ("Progressing", "InProgress", "InProgress", "InProgress"),
}


RECORDED = ("Starting", "Running", "Suspended", "Complete", "Failed")


@pytest.fixture(scope="module")
def verdicts(tools: dict[str, Path]) -> dict[str, Any]:
    """Of each object, what the tools say: of those that the operator would write, and of those that one has written."""
    recorded = {f"recorded {state}": run for state, run in recorded_objects.runs().items()}
    objects = {**run_states.objects(), **run_states.unseen(), **recorded}
    files = [str(GITOPS / name) for name in ("argocd-cm.yaml", "flux-finished.yaml", "flux-started.yaml")]
    done = subprocess.run(
        [str(tools["gitops"]), *files],
        input=json.dumps(list(objects.values())),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(objects, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("state", EXPECTED)
def test_tools_agree_about_a_state(verdicts: dict[str, Any], state: str) -> None:
    assert said(verdicts[state]) == EXPECTED[state]


@pytest.mark.parametrize("state", RECORDED)
def test_tools_agree_about_a_run_of_a_real_cluster(verdicts: dict[str, Any], state: str) -> None:
    assert said(verdicts[f"recorded {state}"]) == EXPECTED[state]


def said(verdict: dict[str, Any]) -> tuple[str, ...]:
    """What Argo CD, kstatus and Flux say."""
    flux = (verdict["flux"]["flux-finished.yaml"], verdict["flux"]["flux-started.yaml"])
    return (verdict["argocd"]["status"], verdict["kstatus"], *flux)


def test_argo_cd_shows_the_words_of_the_condition_that_decides(verdicts: dict[str, Any]) -> None:
    failed = verdicts["Failed"]["argocd"]["message"]
    assert failed.startswith("UserError: ")
    assert verdicts["Suspended"]["argocd"]["message"].startswith("Suspended: ")
    assert verdicts["Queued"]["argocd"]["message"].startswith("Queued: ")
    assert verdicts["Invalid"]["argocd"]["message"].startswith("InvalidSpec: ")


def test_a_new_run_has_a_status_before_the_operator_has_seen_it() -> None:
    # Without one, kstatus takes a run for done, and Flux's expressions cannot be evaluated.
    (version,) = custom_resource_definition()["spec"]["versions"]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}


def test_health_checks_are_for_our_kind_and_version() -> None:
    (version,) = custom_resource_definition()["spec"]["versions"]
    data = yaml.safe_load((GITOPS / "argocd-cm.yaml").read_text())["data"]
    assert list(data) == ["resource.customizations.health.trainingrun.dev_TrainingRun"]
    for name in ("flux-finished.yaml", "flux-started.yaml"):
        (check,) = yaml.safe_load((GITOPS / name).read_text())["spec"]["healthCheckExprs"]
        assert (check["apiVersion"], check["kind"]) == (f"trainingrun.dev/{version['name']}", "TrainingRun")
