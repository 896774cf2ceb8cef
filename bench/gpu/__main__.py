"""`python -m bench.gpu [--tiny]`: trains ResNets on JPEGs and on raw images, and prints a JSON line for each run.

Images a second, stall, how busy the GPU is, the ratio to a cached batch, and how often a step waits for the GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.gpu.utilisation import watched_gpu
from bench.league.protocol import SIDE
from bench.pipelines.jpegs import make_jpeg_rows
from bench.training.document import Recipe, document
from bench.training.local_run import local_run
from bench.workspace import Workspace
from trainingrun.contract.records import EpochEnded

_NORMALIZE = {"function": "trainingrun_trainer.vision:normalize", "kind": "Batch"}
_JPEG_STEPS = [
    {"function": "bench.gpu.hooks:labelled", "kind": "Batch"},
    _NORMALIZE,
]
_EPOCHS = 3
# Of an epoch over a cached batch.
_LEAST_RATIO = 0.97


def main() -> int:
    """Run all; returns 1 where the data kept the GPU waiting."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small sizes on the CPU, to try the code")
    tiny = parser.parse_args().tiny
    is_slow = False
    with tempfile.TemporaryDirectory(prefix="trainingrun-gpu-") as folder:
        for name, recipe, steps in _runs(Workspace(Path(folder), is_quick=tiny)):
            measured = _measured(name, recipe, steps, Path(folder) / name, tiny=tiny)
            print(json.dumps(measured), flush=True)
            is_slow |= measured["ratioToCached"] < _LEAST_RATIO
    return int(is_slow and not tiny)


def _runs(workspace: Workspace) -> list[tuple[str, Recipe, list[dict[str, Any]]]]:
    tiny = workspace.is_quick
    jpegs = make_jpeg_rows(workspace.folder, 80 if tiny else 8_000)
    raw = workspace.converted(640 if tiny else 600_000)
    small, large = (4, 32) if tiny else (256, 1024)
    runs = [("resnet18-jpeg", Recipe(jpegs, _EPOCHS, small, _model("resnet18")), _JPEG_STEPS)]
    if not tiny:
        runs.append(("resnet50-jpeg", Recipe(jpegs, _EPOCHS, small, _model("resnet50")), _JPEG_STEPS))
    model = {"function": "trainingrun_trainer.vision:resnet18"}
    return [*runs, ("resnet18-raw", Recipe(raw, _EPOCHS, large, model), [_NORMALIZE])]


def _model(name: str) -> dict[str, Any]:
    return {"function": f"torchvision.models:{name}", "parameters": {"num_classes": 10}}


def _measured(name: str, recipe: Recipe, steps: list[dict[str, Any]], folder: Path, *, tiny: bool) -> dict[str, Any]:
    log = folder / "log.jsonl"
    loop = {"function": "bench.gpu.hooks:watched", "parameters": {"log": str(log), "cached_steps": 4 if tiny else 50}}
    run = document(name, recipe, folder / "storage")
    run["spec"]["recipe"] |= {"transforms": steps, "loop": loop, "mixedPrecision": "BF16"}
    if steps is _JPEG_STEPS:
        run["spec"]["recipe"]["dataset"]["train"]["imageSize"] = {"height": SIDE, "width": SIDE}
    if not tiny:
        run["spec"]["trainer"] = {"resourcesPerNode": {"limits": {"cpu": 4, "nvidia.com/gpu": 1}}}
    cpus = 2 if tiny else len(os.sched_getaffinity(0))
    with watched_gpu() as percents, local_run(run, folder, cpus) as training:
        epochs = [record for record in training.wait_for_end() if isinstance(record, EpochEnded)]
    notes = [json.loads(line) for line in log.read_text().splitlines()]
    cached = [note["cachedRowsPerSecond"] for note in notes if "cachedRowsPerSecond" in note]
    # The first epoch begins with everything cold.
    rates = [(epoch.rows or 0) / epoch.seconds for epoch in epochs][1:]
    return {
        "run": name,
        "imagesPerSecond": rates,
        "cachedImagesPerSecond": cached[1:],
        "ratioToCached": statistics.median(r / c for r, c in zip(rates, cached[1:], strict=True)),
        "stallPercent": [epoch.stall.steady_percent for epoch in epochs],
        "synchronisationsPerStep": notes[-1]["synchronisationsPerStep"],
        "gpuPercent": statistics.median(percents) if percents else None,
    }


if __name__ == "__main__":
    sys.exit(main())
