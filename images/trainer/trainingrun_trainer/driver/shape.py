"""The workers and the folder that a run's document asks for. Loads nothing that reads data, so that it is quick."""

from __future__ import annotations

from trainingrun.spec import Run
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.storage import RunStorage


def workers_of(run: Run) -> Workers:
    """The workers that the run's trainer group holds: one per process, the node's resources shared out."""
    trainer = run.spec.trainer
    each = trainer.processes_per_node
    cpus = trainer.resources_per_node.limits["cpu"].cores / each
    gpus = trainer.resources_per_node.gpus
    return Workers(count=trainer.num_processes, gpus=gpus // each, cpus=float(int(cpus)) if cpus >= 1 else cpus)


def storage_of(run: Run) -> RunStorage:
    """The run's folder: named by the author, or by uid where Kubernetes gave one, so that a reused name starts over."""
    storage = run.spec.storage
    claim = storage.persistent_volume_claim
    root = storage.uri if storage.uri is not None else claim.mount_path if claim is not None else ""
    return RunStorage(root=root, name=storage.folder(run.metadata.uid or run.metadata.name))
