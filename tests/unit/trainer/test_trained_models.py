"""What a trained model is good for once its run is over: to predict with, to hand on, and to start others from."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import trained_here
from PIL import Image
from trained_here import SEEN, picture, pictures, recipe, said, started, train

from trainingrun_trainer import load
from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration
from trainingrun_trainer.prediction.exporting import export

HELD_OUT = range(100, 110)
FIRST = "trained"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    pictures(folder / "train.parquet", range(24))
    pictures(folder / "validation.parquet", HELD_OUT)
    train(folder, FIRST, recipe(folder))
    return folder


@pytest.fixture(scope="module")
def seen(folder: Path) -> torch.Tensor:
    """What the last validation has made of the held-out rows, in the order of their numbers."""
    return torch.tensor([SEEN[number] for number in HELD_OUT])


def weights(folder: Path, name: str = FIRST) -> dict[str, torch.Tensor]:
    return load(folder / name).model.state_dict()


AS_DICTS: Callable[[], Any] = lambda: [{"image": picture(n)} for n in HELD_OUT]  # noqa: E731


class TestLoad:
    def test_predictions_are_those_of_validation(self, folder: Path, seen: torch.Tensor) -> None:
        model, preprocess = load(folder / FIRST)
        with torch.no_grad():
            for rows in (
                AS_DICTS(),
                [{"image": Image.open(io.BytesIO(picture(n)))} for n in HELD_OUT],
                {"image": [picture(n) for n in HELD_OUT], "label": list(HELD_OUT)},
                pq.read_table(folder / "validation.parquet"),
            ):
                assert torch.allclose(model(preprocess(rows)).squeeze(1), seen, atol=1e-6)
        assert not model.training

    def test_a_path_is_a_picture_too(self, folder: Path, seen: torch.Tensor, tmp_path: Path) -> None:
        for number in HELD_OUT:
            (tmp_path / f"{number}.png").write_bytes(picture(number))
        model, preprocess = load(str(folder / FIRST))
        with torch.no_grad():
            outputs = model(preprocess({"image": [str(tmp_path / f"{number}.png") for number in HELD_OUT]}))
        assert torch.allclose(outputs.squeeze(1), seen, atol=1e-6)

    def test_the_best_has_what_is_needed(self, folder: Path) -> None:
        best = load(f"file://{folder}/{FIRST}/best")
        named = load(next((folder / FIRST).glob("step-*")))
        assert best.preprocess(AS_DICTS()).shape == named.preprocess(AS_DICTS()).shape == (10, 3, 8, 8)

    def test_what_the_run_could_not_have_read_is_refused(self, folder: Path) -> None:
        preprocess = load(folder / FIRST).preprocess
        with pytest.raises(
            DataError, match=r'column "image": found uint8 of shape 9x9x3, expected uint8 of shape 8x8x3'
        ):
            preprocess([{"image": np.zeros((9, 9, 3), np.uint8)}])
        with pytest.raises(DataError, match="row 1: found other, expected the columns of row 0: image"):
            preprocess([{"image": picture(1)}, {"other": 1}])
        with pytest.raises(DataError, match="found no rows"):
            preprocess([])

    def test_a_folder_without_a_checkpoint_is_named(self, folder: Path) -> None:
        with pytest.raises(
            InvalidConfiguration, match=rf"there is no checkpoint in {folder}/nobody; expected the folder"
        ):
            load(folder / "nobody")


class TestStartingFromAnother:
    def begin(self, folder: Path, name: str, initial: dict[str, Any], **fields: Any) -> Any:
        return train(folder, name, recipe(folder, initialCheckpoint=initial, **fields))

    def test_weights_of_a_run_are_taken_and_nothing_else(self, folder: Path, tmp_path: Path) -> None:
        still = {"function": "torch.optim:SGD", "parameters": {"lr": 1e-30}}
        records = self.begin(folder, "tuned", {"run": FIRST}, optimizer=still, epochs=1)
        first, now = weights(folder), weights(folder, "tuned")
        assert all(torch.equal(first[name], now[name]) for name in first if "norm" not in name)
        begun = started(records)
        assert (begun.first_epoch, begun.first_step, begun.resumed_from) == (0, 0, None)
        assert begun.initial_checkpoint == f"file://{folder}/{FIRST}/step-00000006-e00002a0g1"
        assert "training begins with the weights of" in said(records) and "(epoch 2, step 6)" in said(records)

    def test_its_own_checkpoint_wins(self, folder: Path) -> None:
        self.begin(folder, "resumed", {"run": FIRST}, epochs=1)
        begun = started(self.begin(folder, "resumed", {"run": "nobody"}, epochs=2))
        assert (begun.first_epoch, begun.initial_checkpoint) == (1, None)
        assert begun.resumed_from is not None

    def test_all_of_it_goes_on_where_it_was(self, folder: Path) -> None:
        train(folder, "whole", recipe(folder, epochs=3))
        records = self.begin(folder, "longer", {"run": FIRST, "what": "All"}, epochs=3)
        begun = started(records)
        assert (begun.first_epoch, begun.first_step) == (2, 6)
        assert "with all of it, at epoch 2, step 6" in said(records)
        whole, longer = weights(folder, "whole"), weights(folder, "longer")
        assert all(torch.equal(whole[name], longer[name]) for name in whole)

    def test_with_other_data_epochs_count_anew(self, folder: Path, tmp_path: Path) -> None:
        other = recipe(folder, epochs=1, initialCheckpoint={"uri": f"file://{folder}/{FIRST}/best", "what": "All"})
        other["dataset"]["train"]["path"] = str(pictures(tmp_path / "train.parquet", range(30, 38)))
        records = train(folder, "elsewhere", other)
        assert (started(records).first_epoch, started(records).first_step) == (0, 0)
        assert "its training data were others, so that epochs count from 0 again" in said(records)
        state = torch.load(next((folder / "elsewhere").glob("step-*/state.pt")))
        assert {entry["step"].item() for entry in state["optimizer"]["state"].values()} == {6 + 1}

    @pytest.mark.parametrize("suffix", ["pt", "safetensors"])
    def test_a_file_of_weights_is_enough(self, folder: Path, tmp_path: Path, suffix: str) -> None:
        saved = {name: value.clone() for name, value in weights(folder).items()}
        path = tmp_path / f"weights.{suffix}"
        if suffix == "pt":
            torch.save({"state_dict": saved}, path)
        else:
            from safetensors.torch import save_file

            save_file(saved, path)
        records = self.begin(folder, f"of-{suffix}", {"uri": str(path)}, epochs=1)
        assert started(records).initial_checkpoint == str(path)

    @pytest.mark.parametrize(
        ("initial", "fields", "message"),
        [
            (
                {"run": "nobody"},
                {},
                r"initialCheckpoint.run: there is no checkpoint in file://\S+/nobody; expected the f",
            ),
            (
                {"uri": "file:///nowhere/weights.pt"},
                {},
                r"initialCheckpoint.uri: there is no file file:///nowhere/weights.pt",
            ),
            (
                {"run": FIRST},
                {"model": {"function": "trained_here:Net", "parameters": {"hidden": 5, "copies": 2}}},
                r"initialCheckpoint.run: the weights in \S+ do not fit the model .*; the file lacks heads.1.bias, "
                r"heads.1.weight; has other shapes: body.1.bias \[4\] instead of \[5\], ",
            ),
            ({"run": FIRST, "what": "All"}, {}, r"epochs: found 2, which \S+ has behind it.* allowed: more than 2"),
            (
                {"run": FIRST, "what": "All"},
                {"epochs": 3, "optimizer": {"function": "torch.optim:SGD"}},
                r"optimizer.function: was .*what: Weights takes the model alone",
            ),
        ],
        ids=["no run", "no file", "another model", "nothing left", "another optimizer"],
    )
    def test_what_does_not_fit_is_refused_by_name(
        self, folder: Path, initial: dict[str, Any], fields: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InvalidConfiguration, match=re.compile(message)):
            self.begin(folder, "refused", initial, **fields)
        assert not list(folder.glob("refused/step-*"))

    def test_a_file_that_would_run_code_is_refused(self, folder: Path, tmp_path: Path) -> None:
        torch.save({"model": {"x": torch.ones(1)}, "made": trained_here.Net()}, tmp_path / "model.pt")
        with pytest.raises(InvalidConfiguration, match="cannot be read without running code that it may hold"):
            self.begin(folder, "refused", {"uri": str(tmp_path / "model.pt")})

    def test_weights_alone_are_not_all(self, folder: Path, tmp_path: Path) -> None:
        torch.save(weights(folder), tmp_path / "model.pt")
        with pytest.raises(InvalidConfiguration, match="holds weights alone, with what: All"):
            self.begin(folder, "refused", {"uri": str(tmp_path / "model.pt"), "what": "All"})


class TestExport:
    @pytest.mark.parametrize("kind", ["safetensors", "torch-export", pytest.param("onnx", marks=pytest.mark.extended)])
    def test_what_is_read_again_predicts_the_same(self, folder: Path, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "made" / "model"
        assert export(str(folder / FIRST / "best"), kind, path) <= 1e-5
        assert [file.name for file in path.parent.iterdir()] == ["model"]

    def test_what_predicts_something_else_is_not_left_behind(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import safetensors.torch

        read = safetensors.torch.load_file

        def altered(path: Path) -> dict[str, torch.Tensor]:
            return {name: value + 1 if name == "heads.0.bias" else value for name, value in read(path).items()}

        monkeypatch.setattr(safetensors.torch, "load_file", altered)
        with pytest.raises(InvalidConfiguration, match=r"outputs that differ by up to 1.*; allowed: differences of"):
            export(str(folder / FIRST), "safetensors", tmp_path / "model.safetensors")
        assert not list(tmp_path.iterdir())

    def test_it_is_a_start_for_another_run(self, folder: Path, tmp_path: Path) -> None:
        export(str(folder / FIRST), "safetensors", tmp_path / "model.safetensors")
        begun = started(
            train(
                folder,
                "of-export",
                recipe(folder, initialCheckpoint={"uri": str(tmp_path / "model.safetensors")}, epochs=1),
            )
        )
        assert begun.initial_checkpoint == str(tmp_path / "model.safetensors")
