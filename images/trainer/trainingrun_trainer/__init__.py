"""What a training image runs: conversion, the pool of data workers, the training loop, progress and signals.

It must import neither kopf nor a Kubernetes client: a training pod has no rights in the cluster, only a run to train.
"""

from typing import TYPE_CHECKING, Any

from trainingrun_trainer.transform_marks import PARENT, on_trainer, uncached

if TYPE_CHECKING:
    from trainingrun_trainer.prediction import load

__all__ = ["PARENT", "load", "on_trainer", "uncached"]


def __getattr__(name: str) -> Any:
    """`load`, with torch and all that it needs, only where it is asked for: every process of a run is loaded here."""
    if name != "load":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from trainingrun_trainer.prediction import load

    return load
