"""A training script of one's own, as `spec.trainer.command` starts it: plain Ray Train, placed by the run's file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ray
import ray.data
import ray.train

from trainingrun_trainer import script

EPOCHS = 4


def datasets() -> dict[str, Any]:
    return {"train": ray.data.range(300).map(lambda row: {**row, "node": ray.get_runtime_context().get_node_id()})}


def loop(config: dict[str, Any]) -> None:
    checkpoint = ray.train.get_checkpoint()
    first = 0
    if checkpoint is not None:
        with checkpoint.as_directory() as directory:
            first = json.loads((Path(directory) / "epoch.json").read_text()) + 1
    for epoch in range(first, EPOCHS):
        rows = sum(len(batch["id"]) for batch in ray.train.get_dataset_shard("train").iter_batches(batch_size=50))
        time.sleep(config["seconds"])
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "epoch.json").write_text(json.dumps(epoch))
            saved = ray.train.Checkpoint.from_directory(directory)
            metrics = {"rows": float(rows), "loss": 1 / (1 + epoch)}
            script.report(metrics, checkpoint=saved, epoch=epoch, epochs=EPOCHS)
        if script.should_stop():
            return


if __name__ == "__main__":
    script.main(loop, datasets, {"seconds": float(os.environ.get("SECONDS_PER_EPOCH", "0")), "argv": sys.argv[1:]})
