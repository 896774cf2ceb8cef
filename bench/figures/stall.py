"""How long training waits for data once an epoch has begun, in percent of its time: the records' own number."""

from __future__ import annotations

from typing import Any

from bench.result import Measure, Result
from bench.training.document import Recipe, document, hook, resnet18
from bench.training.local_run import local_run
from bench.workspace import Workspace
from trainingrun.contract.records import EpochEnded

_CPUS = {"own_core": ("data has a core of its own", 2), "shared_core": ("data and training share one core", 1)}
# Rows of an epoch, and of a batch: both models take some seconds for an epoch on one core.
_MODELS = {"resnet18": ("ResNet-18", 3072, 128), "small": ("small convolutional network", 60_000, 512)}
_QUICK_ROWS = 1024


def measure(rounds: int, workspace: Workspace) -> Result:
    """A run of `rounds` epochs for both models, with two CPUs and with one."""
    measures, raw = [], {}
    for model, (title, rows, batch_rows) in _MODELS.items():
        for place, (where, cpus) in _CPUS.items():
            name = f"stall_{model}_{place}"
            function: dict[str, Any] = resnet18() if model == "resnet18" else hook("network")
            data = workspace.converted(_QUICK_ROWS if workspace.is_quick else rows)
            recipe = Recipe(data, rounds, batch_rows, function)
            epochs = _epochs(name.replace("_", "-"), recipe, workspace, cpus)
            stalls = [epoch.stall for epoch in epochs if epoch.stall]
            measures.append(
                Measure(name, f"steady stall, {title}, {where}", "%", [stall.steady_percent for stall in stalls])
            )
            raw[name] = {
                "totalPercent": [stall.total_percent for stall in stalls],
                "rows": [epoch.rows for epoch in epochs],
                "seconds": [epoch.seconds for epoch in epochs],
            }
    return Result("stall", measures, raw)


def _epochs(name: str, recipe: Recipe, workspace: Workspace, cpus: int) -> list[EpochEnded]:
    folder = workspace.folder / name
    with local_run(document(name, recipe, folder / "storage"), folder, cpus) as run:
        return [record for record in run.wait_for_end() if isinstance(record, EpochEnded)]
