"""How near an epoch comes to training without any data to wait for: its rows per second over a cached batch's.

Epochs of a real run and steps with one cached batch take turns in the same training process.
"""

from __future__ import annotations

from bench.result import Measure, Result
from bench.training.document import Recipe, document, hook, resnet18
from bench.training.hooks import read_log
from bench.training.local_run import local_run
from bench.workspace import Workspace
from trainingrun.contract.records import EpochEnded

_CPUS = {"own_core": ("data has a core of its own", 2), "shared_core": ("data and training share one core", 1)}
# Divisible by the batch, so that the cached batch, the epoch's last one, is a whole one.
_ROWS, _BATCH_ROWS, _CACHED_STEPS = 60 * 128, 128, 20
_QUICK_ROWS, _QUICK_STEPS = 1024, 4


def measure(rounds: int, workspace: Workspace) -> Result:
    """A run of `rounds` epochs of the reference model with two CPUs, and another with one."""
    measures, raw = [], {}
    for place, (where, cpus) in _CPUS.items():
        name = f"efficiency_{place}"
        epochs, cached = _rates(name.replace("_", "-"), rounds, workspace, cpus)
        shares = [epoch / without for epoch, without in zip(epochs, cached, strict=True)]
        measures.append(Measure(name, f"epoch over cached batch, ResNet-18, {where}", "x cached", shares))
        raw[name] = {"epochRowsPerSecond": epochs, "cachedRowsPerSecond": cached}
    return Result("efficiency", measures, raw)


def _rates(name: str, rounds: int, workspace: Workspace, cpus: int) -> tuple[list[float], list[float]]:
    folder = workspace.folder / name
    log = folder / "log.jsonl"
    steps = _QUICK_STEPS if workspace.is_quick else _CACHED_STEPS
    data = workspace.converted(_QUICK_ROWS if workspace.is_quick else _ROWS)
    hooks = {"loop": hook("alternate", log=str(log), cached_steps=steps)}
    recipe = Recipe(data, rounds, _BATCH_ROWS, resnet18(), hooks)
    with local_run(document(name, recipe, folder / "storage"), folder, cpus) as run:
        epochs = [record for record in run.wait_for_end() if isinstance(record, EpochEnded)]
    cached = [note for note in read_log(log) if note["event"] == "Cached"]
    return [(epoch.rows or 0) / epoch.seconds for epoch in epochs], [note["rows"] / note["seconds"] for note in cached]
