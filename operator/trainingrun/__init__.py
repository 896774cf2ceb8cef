"""The API of a training run and the tools around it.

This package describes, checks and reports runs. It must import neither ray nor torch, so that it starts in
milliseconds and fits in a small image; what trains is `trainingrun_trainer`. What it offers to programs is imported
when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainingrun.client.parts import (
        BestCheckpoint,
        Checkpoints,
        Data,
        Dataset,
        EarlyStopping,
        Function,
        Head,
        Metric,
        PersistentVolumeClaim,
        Recipe,
        Resources,
        Scheduler,
        Source,
        Storage,
        Trainer,
        Transform,
    )
    from trainingrun.client.problems import ClusterError, RunFailed
    from trainingrun.client.remote import Client, RemoteRun
    from trainingrun.client.run import Run
    from trainingrun.errors import InvalidSpec

__version__ = "0.1.0"

__all__ = [
    "BestCheckpoint",
    "Checkpoints",
    "Client",
    "ClusterError",
    "Data",
    "Dataset",
    "EarlyStopping",
    "Function",
    "Head",
    "InvalidSpec",
    "Metric",
    "PersistentVolumeClaim",
    "Recipe",
    "RemoteRun",
    "Resources",
    "Run",
    "RunFailed",
    "Scheduler",
    "Source",
    "Storage",
    "Trainer",
    "Transform",
]

_ELSEWHERE = {
    "Client": "client.remote",
    "ClusterError": "client.problems",
    "InvalidSpec": "errors",
    "RemoteRun": "client.remote",
    "Run": "client.run",
    "RunFailed": "client.problems",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'client.parts')}"), name)
