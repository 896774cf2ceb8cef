"""`trainingrun plan` measures a run's own rows in its own functions, and says what it could not measure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from run_samples import trainer
from trial_samples import call, linear

from trainingrun.contract.exits import Exit
from trainingrun_trainer.local.plan_ahead import main

SLOW = """
import time

def slow(row):
    time.sleep(0.002)
    return row

def none(batch):
    return {name: values[:0] for name, values in batch.items()}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    x = np.random.default_rng(0).normal(size=(96, 4)).astype(np.float32)
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"features": pa.array(list(x)), "price": x.sum(axis=1)}), tmp_path / "data/rows.parquet")
    (tmp_path / "plan_hooks.py").write_text(SLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def planned(folder: Path, *options: str, **spec: Any) -> int:
    recipe = {
        "dataset": {
            "train": {"format": "Parquet", "path": str(folder / "data")},
            "inputColumn": "features",
            "targetColumn": "price",
        },
        "model": linear(1),
        "loss": call("torch.nn:MSELoss"),
        "globalBatchSize": 32,
        **spec.pop("recipe", {}),
    }
    document = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "prices"},
        "spec": {"image": "trainer:1", "recipe": recipe, "storage": {"uri": f"file://{folder}/runs"}, **spec},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(document))
    return main([str(folder / "run.yaml"), "--sample", "64", "--output", "json", *options])


def test_a_slow_step_is_what_a_row_costs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(folder, recipe={"transform": {**call("plan_hooks:slow"), "kind": "Row"}}) == Exit.COMPLETE
    found = json.loads(capsys.readouterr().out)
    assert 0.002 <= found["secondsPerRow"]["transform"] < 0.02
    assert found["secondsPerRow"]["reading"] < 0.002
    assert found["rowsPerSecondNeeded"] > 0
    assert found["rowsPerSecondHad"] <= 4 / 0.002


def test_a_pace_that_is_given_is_not_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {**call("plan_hooks:slow"), "kind": "Row"}
    group = trainer(nodes=2)
    assert planned(folder, "--trainer-rate", "4000", recipe={"transform": row}, trainer=group) == Exit.COMPLETE
    found = json.loads(capsys.readouterr().out)
    assert found["rowsPerSecondNeeded"] == 8000
    assert found["nodesWanted"] >= 4
    assert "a trainer was said to take 4,000 rows/s" in found["measured"]


def test_without_a_gpu_the_pace_of_one_is_not_guessed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(folder, trainer=trainer(gpus=1)) == Exit.COMPLETE
    found = json.loads(capsys.readouterr().out)
    assert (found["rowsPerSecondNeeded"], found["nodesWanted"]) == (None, None)
    assert "this machine has none" in found["measured"]


def test_steps_that_leave_nothing_are_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planned(folder, recipe={"transform": {**call("plan_hooks:none"), "kind": "Batch"}}) != Exit.COMPLETE
    assert "leave out all of the first 64 rows" in capsys.readouterr().err


def test_a_run_of_its_own_command_cannot_be_planned(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "own"},
        "spec": {
            "image": "trainer:1",
            "trainer": {"command": ["python", "train.py"]},
            "storage": {"uri": f"file://{folder}/runs"},
        },
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(document))
    assert main([str(folder / "own.yaml"), "--sample", "64", "--output", "text"]) == Exit.INVALID_CONFIG
    assert capsys.readouterr().err.startswith("spec.recipe: missing")
