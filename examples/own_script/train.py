"""A script of one's own: Ray Train as its documentation shows it, with `script` for what the run's file says.

`script.main` in place of `TorchTrainer(...).fit()`, and `script.report` in place of `ray.train.report`.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from pathlib import Path
from typing import Any

import ray.data
import ray.train
import torch
from ray.train.torch import prepare_model
from torch import nn
from torch.distributed.algorithms.join import Join, Joinable

from trainingrun_trainer import script


def datasets(folder: str) -> dict[str, ray.data.Dataset]:
    """Rows are read on the data group."""
    return {part: ray.data.read_parquet(f"{folder}/{part}") for part in ("train", "validation")}


def loop(config: dict[str, Any]) -> None:
    """Run by each training process."""
    net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 2))
    model = prepare_model(net)
    optimizer = torch.optim.Adam(model.parameters(), lr=config["lr"])
    first = resume(net, optimizer)
    for epoch in range(first, config["epochs"]):
        loss = train(model, optimizer)
        metrics = {"loss": loss, "validation_accuracy": accuracy(model)}
        with tempfile.TemporaryDirectory() as folder:
            state = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}
            torch.save(state, Path(folder) / "state.pt")
            saved = ray.train.Checkpoint.from_directory(folder)
            script.report(metrics, checkpoint=saved, epoch=epoch, epochs=config["epochs"])
        if script.should_stop():
            return


def resume(net: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Load the newest checkpoint, if this is not the first attempt; return the epoch to begin with."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as folder:
        state = torch.load(Path(folder) / "state.pt")
    net.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"]) + 1


def train(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """One epoch; the loss of its last batch."""
    loss = torch.zeros(())
    rows = ray.train.get_dataset_shard("train")
    # No row is dropped, so one process may have a batch more than another, which then takes part with nothing.
    with Join([model]) if isinstance(model, Joinable) else contextlib.nullcontext():
        for batch in rows.iter_torch_batches(batch_size=50, local_shuffle_buffer_size=2000):
            loss = nn.functional.cross_entropy(model(points(batch)), batch["label"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.item()


def accuracy(model: nn.Module) -> float:
    """The share of the process's validation rows that are classified rightly."""
    right = rows = 0
    with torch.no_grad():
        for batch in ray.train.get_dataset_shard("validation").iter_torch_batches(batch_size=200):
            right += int((model(points(batch)).argmax(1) == batch["label"]).sum())
            rows += len(batch["label"])
    return right / max(rows, 1)


def points(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Columns to (rows, 2)."""
    return torch.stack([batch["x"], batch["y"]], dim=1).float()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.01)
    arguments = parser.parse_args()
    script.main(loop, lambda: datasets(arguments.data), {"epochs": arguments.epochs, "lr": arguments.lr})
