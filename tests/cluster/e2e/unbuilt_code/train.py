"""A script of one's own beside its package: it is started by its name, so in its folder."""

from __future__ import annotations

import sys
from pathlib import Path

import ray
import torch
from my_project.model import Digits
from my_project.rows import pixels
from ray.train.torch import prepare_model

from trainingrun_trainer import script


def datasets():
    return {"train": ray.data.read_parquet(sys.argv[1]).map_batches(pixels, batch_format="numpy")}


def loop(config):
    from my_project import model  # in the process that trains, too

    network = prepare_model(model.Digits(classes=10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    rows = 0
    for batch in ray.train.get_dataset_shard("train").iter_batches(batch_size=64, batch_format="numpy"):
        loss = torch.nn.functional.cross_entropy(
            network(torch.tensor(batch["image"])), torch.tensor(batch["label"]).long()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows += len(batch["label"])
    script.report({"loss": loss.item(), "rows": rows}, epoch=0, epochs=1)


if __name__ == "__main__":
    assert Path.cwd() == Path(__file__).parent
    assert Digits(classes=2).layer.out_features == 2
    script.main(loop, datasets)
