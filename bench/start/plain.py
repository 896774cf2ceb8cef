"""What a start costs without this project: `ray.init` and a TorchTrainer of one worker that takes the same 20 steps.

As Ray's documentation has it, with nothing set but what a machine without a network needs.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import ray
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer


def steps(config: dict[str, Any]) -> None:
    """The training function: a linear model, and a line in the log for each step."""
    import torch
    from torch import nn

    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(20):
        with open(config["log"], "a") as log:
            log.write(json.dumps({"event": "Step", "began": time.time(), "step": step}) + "\n")
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.rand(32, 28, 28)), torch.randint(10, (32,))).backward()
        optimizer.step()


if __name__ == "__main__":
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2)
    TorchTrainer(
        steps,
        train_loop_config={"log": sys.argv[1]},
        scaling_config=ScalingConfig(num_workers=1),
        run_config=RunConfig(storage_path=sys.argv[2]),
    ).fit()
    ray.shutdown()
