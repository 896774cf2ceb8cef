"""The built-in recipe: exact gradients for any number of workers, validation, best and kept checkpoints, transforms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from driving import SIDE, document, local, start, write_rows

from trainingrun.contract.records import CheckpointSaved, EpochEnded, Notice, Placement
from trainingrun_trainer.storage import RunStorage

pytestmark = pytest.mark.timeout(600)


def weights(run: dict) -> dict[str, torch.Tensor]:
    storage = RunStorage(run["spec"]["storage"]["uri"], run["metadata"]["name"])
    newest = storage.checkpoints()[0]
    state = torch.load(storage.local_directory / newest / "state.pt", weights_only=False)
    return state["model"]


def test_gradients_do_not_depend_on_the_number_of_workers(address: str, uneven: Path, tmp_path: Path) -> None:
    """One optimizer step over all rows: three ranks with different numbers of rows, in some turns none, and one
    rank alone must arrive at the same weights."""
    trained = []
    for workers in (1, 3):
        recipe = {
            "globalBatchSize": 3 * 1500,
            "gradientAccumulationSteps": 3,
            "epochs": 1,
            "model": {"function": "training_hooks:small_net", "parameters": {"norm": False}},
        }
        run = document(uneven, tmp_path / f"storage-{workers}", recipe)
        training = start(run, tmp_path / str(workers), address, workers)
        assert training.end() == 0, training.output()
        (ended,) = [record for record in training.records() if isinstance(record, EpochEnded)]
        assert (ended.rows, ended.step) == (2001, 1)
        trained.append(weights(run))

    for name, alone in trained[0].items():
        torch.testing.assert_close(trained[1][name], alone, rtol=1e-5, atol=1e-7)


def test_validation_best_and_kept_checkpoints(address: str, tmp_path: Path) -> None:
    write_rows(tmp_path / "train", [300])
    write_rows(tmp_path / "test", [100])
    run = document(
        tmp_path / "train",
        tmp_path / "storage",
        {
            "dataset": {"validation": {"format": "Parquet", "path": str(tmp_path / "test")}},
            "metrics": [{"function": "trainingrun_trainer.vision:accuracy"}],
            "epochs": 5,
            "maxGradNorm": 1.0,
            "mixedPrecision": "BF16",
            "scheduler": {"function": "torch.optim.lr_scheduler:StepLR", "parameters": {"step_size": 1}},
        },
        storage={"checkpoints": {"numToKeep": 2, "best": {"metric": "validation_loss", "mode": "Min"}}},
    )
    training = start(run, tmp_path, address, workers=2)

    assert training.end() == 0, training.output()
    records = training.records()
    losses = [r.metrics["validation_loss"] for r in records if isinstance(r, EpochEnded)]
    assert len(losses) == 5
    saved = [r for r in records if isinstance(r, CheckpointSaved)]
    assert [r.epoch for r in saved if r.best] == [i for i, loss in enumerate(losses) if loss == min(losses[: i + 1])]
    # Each epoch once, before it is validated, and the end.
    whole = [r for r in saved if not r.best]
    assert [r.epoch for r in whole] == [0, 1, 2, 3, 4, 4]
    kept = RunStorage(run["spec"]["storage"]["uri"], "test").checkpoints()
    assert [r.path.rpartition("/")[2] for r in whole[-2:]] == kept[::-1]
    assert (training.folder / "best" / "state.pt").is_file()


def test_a_notebook_s_row_transform_runs_unchanged_and_one_process_computes_the_same(
    address: str, tmp_path: Path
) -> None:
    write_rows(tmp_path / "train", [700])

    def run_in(storage: str) -> dict:
        recipe = {
            "transform": {"function": "training_hooks:transform_images", "kind": "Row"},
            "model": {"function": "training_hooks:dropping_net"},
            "metrics": [{"function": "training_hooks:ray_is_loaded"}],
            "epochs": 1,
        }
        return document(tmp_path / "train", tmp_path / storage, recipe)

    training = start(run_in("storage"), tmp_path, address)
    assert training.end() == 0, training.output()
    advice = [r.message for r in training.records() if isinstance(r, Notice) and "batch form" in r.message]
    assert len(advice) == 1
    assert "produced the same values" in advice[0]
    (placement,) = [record for record in training.records() if isinstance(record, Placement)]
    assert placement.data_rows == {"data-0": 700}

    debugged = local(run_in("alone"), tmp_path / "alone", "--debug", OMP_NUM_THREADS="1")
    assert debugged.end() == 0, debugged.output()
    (ours,), (theirs,) = (
        [r.metrics for r in each.records() if isinstance(r, EpochEnded)] for each in (debugged, training)
    )
    assert (ours.pop("ray_is_loaded"), theirs.pop("ray_is_loaded")) == (0.0, 1.0)
    assert ours == theirs
    for name, weight in weights(run_in("storage")).items():
        assert torch.equal(weights(run_in("alone"))[name], weight), name
    assert (tmp_path / "alone" / "test" / "report.html").is_file()


@pytest.mark.extended
def test_unmodified_pandas_file_trains(address: str, tmp_path: Path) -> None:
    import numpy as np
    import pandas as pd

    images = np.random.default_rng(0).integers(0, 256, (300, SIDE, SIDE), dtype=np.uint8)
    pd.DataFrame({"image": [list(image) for image in images], "label": range(300)}).to_parquet(
        tmp_path / "seed.parquet"
    )
    run = document(tmp_path / "seed.parquet", tmp_path / "storage", {"epochs": 1})
    training = start(run, tmp_path, address)

    assert training.end() == 0, training.output()
    (ended,) = [record for record in training.records() if isinstance(record, EpochEnded)]
    assert ended.rows == 300
