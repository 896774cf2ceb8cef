"""What a training image runs: conversion, the pool of data workers, the training loop, progress and signals.

It must import neither kopf nor a Kubernetes client: a training pod has no rights in the cluster, only a run to train.
"""

from trainingrun_trainer.transform_marks import PARENT, on_trainer

__all__ = ["PARENT", "on_trainer"]
