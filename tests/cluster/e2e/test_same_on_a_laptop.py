"""The file that trained on the cluster trains on one machine as well, and arrives at the same place."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from run_on_cluster import records_in
from timings import Timings
from watched_run import WatchedRun

from trainingrun.contract.records import AttemptStarted, EpochEnded, Record
from trainingrun.spec import parse

pytestmark = pytest.mark.extended

# Which of two trainers gets which rows is decided while they arrive, so that two trainings of one seed differ a little.
_TOLERANCE = {"accuracy": 0.01, "validation_accuracy": 0.02, "loss": 0.02, "validation_loss": 0.05}


def test_the_same_file_on_one_machine_ends_with_the_same_metrics(
    digits: WatchedRun, datasets: Path, tmp_path: Path, timings: Timings
) -> None:
    shutil.copytree(datasets, tmp_path / "volume" / "datasets")
    (tmp_path / "digits.yaml").write_text(yaml.safe_dump(digits.document))
    here = _train(tmp_path)
    timings.mark("Complete")

    started, elsewhere = _start(here), _start(digits.records)
    assert started.world_size == elsewhere.world_size == 2
    assert _recipe(started) == _recipe(elsewhere)
    last, other = _epochs(here)[-1], _epochs(digits.records)[-1]
    assert (last.epoch, last.rows) == (other.epoch, other.rows)
    for name, tolerance in _TOLERANCE.items():
        assert last.metrics[name] == pytest.approx(other.metrics[name], abs=tolerance), name


def _train(folder: Path) -> list[Record]:
    """Train with as many processes as on the cluster, on however small a machine; returns what was recorded."""
    program = Path(sys.executable).with_name("trainingrun")
    options = ["--volume", folder / "volume", "--trainers", "2", "--data-cpus", "1"]
    command = [program, "local", "--filename", folder / "digits.yaml", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    records = records_in(folder / "volume" / "digits")
    assert {record.attempt for record in records} == {0}, "one attempt was not enough"
    return records


def _start(records: list[Record]) -> AttemptStarted:
    return next(record for record in records if isinstance(record, AttemptStarted))


def _recipe(started: AttemptStarted) -> object:
    """All that decides what is learned, with what the API server filled in; where the data lie is another matter."""
    recipe = parse(started.configuration).spec.recipe
    assert recipe is not None
    anywhere = recipe.dataset.model_copy(update={"train": None, "validation": None})
    return recipe.model_copy(update={"dataset": anywhere})


def _epochs(records: list[Record]) -> list[EpochEnded]:
    return [record for record in records if isinstance(record, EpochEnded)]
