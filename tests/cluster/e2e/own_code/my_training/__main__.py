"""A training of one's own as a user writes it: Ray Train's API, a package of one's own choice, and the digits.

It writes down where its rows were made and where it trained.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import ray
import torch
from ray.train.torch import prepare_model
from timm.loss import LabelSmoothingCrossEntropy

from trainingrun_trainer import script


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--places", required=True)
    return parser.parse_args()


def pixels(batch):
    images = np.stack([np.frombuffer(image, np.uint8) for image in batch["image"]]).astype(np.float32) / 16
    place = np.full(len(images), ray.util.get_node_ip_address())
    return {"image": images, "label": batch["label"], "place": place}


def datasets():
    return {"train": ray.data.read_parquet(options().data).map_batches(pixels, batch_format="numpy")}


def loop(config):
    model = prepare_model(torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    loss_of = LabelSmoothingCrossEntropy(smoothing=0.01)
    places = set()
    for epoch in range(config["epochs"]):
        rows = right = 0
        for batch in ray.train.get_dataset_shard("train").iter_batches(batch_size=64, batch_format="numpy"):
            images, labels = torch.tensor(batch["image"]), torch.tensor(batch["label"]).long()
            outputs = model(images)
            loss = loss_of(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rows += len(labels)
            right += int((outputs.argmax(dim=1) == labels).sum())
            places.update(batch["place"].tolist())
        metrics = {"loss": loss.item(), "accuracy": right / rows, "rows": rows}
        script.report(metrics, epoch=epoch, epochs=config["epochs"])
        if script.should_stop():
            return
    found = {"data": sorted(places), "trainer": ray.util.get_node_ip_address()}
    Path(config["places"]).write_text(json.dumps(found))


if __name__ == "__main__":
    script.main(loop, datasets, vars(options()))
