"""Who besides the run's own records gets its curves: what `spec.tracking` asks for."""

from __future__ import annotations

import importlib.util
import uuid

from trainingrun.spec import Run
from trainingrun.spec.tracking import Tracking
from trainingrun_trainer.driver.background import BackgroundWriter
from trainingrun_trainer.driver.event_files import EventFiles
from trainingrun_trainer.driver.tracking.description import description_of
from trainingrun_trainer.driver.tracking.mlflow_client import MlflowRun
from trainingrun_trainer.driver.tracking.tracker import Client, Tracker
from trainingrun_trainer.driver.tracking.wandb_client import WandbRun
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.storage import RunStorage

# In the folder of a run to which Kubernetes gave no uid.
_IDENTITY_FILE = "tracking-id"
# By the field that needs it, which is also the name of its module and of this package's extra.
_PACKAGES = {"mlflow": "mlflow-skinny", "wandb": "wandb"}


def trackers_of(run: Run, storage: RunStorage, number: int, attempt: int) -> tuple[BackgroundWriter, ...]:
    """Writers of the lines of attempt `number` in the run's folder, `attempt` of the run itself.

    Raises InvalidConfiguration where a package is missing, and StorageUnavailable.
    """
    tracking = run.spec.tracking
    check_packages(tracking)
    writers: list[BackgroundWriter] = [EventFiles(storage, number)] if tracking.tensorboard else []
    if tracking.mlflow is None and tracking.wandb is None:
        return tuple(writers)
    description = description_of(run, _identity(run, storage), storage.location)
    clients: dict[str, Client] = {}
    if tracking.mlflow is not None:
        clients["mlflow"] = MlflowRun(tracking.mlflow, description)
    if tracking.wandb is not None:
        clients["wandb"] = WandbRun(tracking.wandb, description, storage)
    writers += [Tracker(f"spec.tracking.{name}", client, run.spec, attempt) for name, client in clients.items()]
    return tuple(writers)


def check_packages(tracking: Tracking) -> None:
    """Raise InvalidConfiguration where what a tracker needs is not installed."""
    for name, package in _PACKAGES.items():
        if getattr(tracking, name) is not None and importlib.util.find_spec(name) is None:
            raise InvalidConfiguration(
                f"spec.tracking.{name}: found no package {package} here, allowed: an image or environment that "
                f"has it, by `pip install 'trainingrun[trainer,{name}]'`"
            )


def _identity(run: Run, storage: RunStorage) -> str:
    """What is the same in all attempts at the run, and in no other run."""
    if run.metadata.uid:
        return run.metadata.uid
    if not (known := storage.read_text(_IDENTITY_FILE).strip()):
        known = uuid.uuid4().hex
        storage.write_text(_IDENTITY_FILE, known)
    return known
