"""What runs are rendered to, as files, so that a change of a template is reviewed as a change of manifests.

After a change that is meant, write the files anew and look at their difference:

    TRAININGRUN_UPDATE_GOLDEN=1 .venv/bin/pytest tests/golden
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun.observed import RunObject, run_object_of
from trainingrun.render import RenderSettings, ray_cluster, ray_job
from trainingrun.spec.documents import load_runs

HERE = Path(__file__).parent
SAMPLES = HERE.parents[1] / "manifests" / "samples"
UID = "5f4c1f0a-7d5e-4b0e-8a49-2f1d3c9b6e70"
WITH_ENDPOINT = RenderSettings(
    progress_url="https://progress.svc",
    progress_ca="-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
)

Render = Callable[[RunObject, int, RenderSettings], dict[str, Any]]

CASES: dict[str, tuple[Path, Render, int, RenderSettings]] = {
    **{path.stem: (path, ray_job, 0, WITH_ENDPOINT) for path in sorted(SAMPLES.glob("*.yaml"))},
    **{path.stem: (path, ray_job, 12, RenderSettings()) for path in sorted((HERE / "in").glob("*.yaml"))},
    "minimal-cluster": (SAMPLES / "minimal.yaml", ray_cluster, 0, RenderSettings()),
}


def objects(path: Path) -> list[RunObject]:
    """The runs of a file as the API server would hold them."""
    found = []
    for loaded in load_runs(path):
        body = loaded.run.to_document()
        body["metadata"] = {"namespace": "default", **body["metadata"], "uid": UID}
        found.append(run_object_of(body))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_run_renders_to_the_file_of_its_name(name):
    path, render, attempt, settings = CASES[name]
    manifests = [render(run, attempt, settings) for run in objects(path)]
    golden = HERE / "out" / f"{name}.yaml"
    if os.environ.get("TRAININGRUN_UPDATE_GOLDEN"):
        golden.write_text(yaml.safe_dump_all(manifests, sort_keys=False, width=50), encoding="utf-8")
    assert list(yaml.load_all(golden.read_text(encoding="utf-8"), yaml.CSafeLoader)) == manifests


def test_every_golden_file_has_its_case():
    assert {path.stem for path in (HERE / "out").glob("*.yaml")} == set(CASES)
