"""One run of Weights & Biases, through the package `wandb`, which is loaded only when it is needed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from trainingrun.spec.tracking import WeightsAndBiases
from trainingrun_trainer.driver.tracking.description import Description, End
from trainingrun_trainer.driver.tracking.tracker import Point
from trainingrun_trainer.storage import RunStorage

FOLDER = "wandb"
# Within the time that a tracker has when an attempt ends.
_FINISH_SECONDS = 8.0
_START_SECONDS = 30.0
_STEP = "step"
# It has no error of its own for no key and nobody to ask for one.
_ABOUT_KEYS = re.compile("api.?key", re.IGNORECASE)


class WandbRun:
    """See `tracker.Client`. The run's id is the TrainingRun's own, so that every attempt continues it.

    Offline, its files are in the run's folder; in an object store they are put there when the attempt ends.
    """

    def __init__(self, wanted: WeightsAndBiases, description: Description, storage: RunStorage):
        self._wanted = wanted
        self._description = description
        self._storage = storage
        self._run: Any = None
        self._directory: Path | None = None

    def open(self) -> None:
        """See Client."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # no reports to its makers
        import wandb

        self._directory = self._directory or self._place()
        try:
            self._run = wandb.init(
                project=self._wanted.project,
                entity=self._wanted.entity,
                id=self._description.identity,
                name=self._description.name,
                dir=str(self._directory),
                mode="offline" if self._wanted.mode == "Offline" else "online",
                resume="allow" if self._wanted.mode == "Online" else None,
                settings=_settings(wandb),
            )
        except wandb.errors.AuthenticationError as error:
            raise self._unauthorised(error) from error
        except wandb.errors.UsageError as error:
            if not _ABOUT_KEYS.search(str(error)):
                raise
            raise self._unauthorised(error) from error
        self._run.config.update({**self._description.parameters, **self._description.tags}, allow_val_change=True)
        # Steps that are done again would be dropped if they were its own steps.
        self._run.define_metric(_STEP, hidden=True)
        self._run.define_metric("*", step_metric=_STEP)

    def send(self, points: list[Point]) -> None:
        """See Client."""
        for point in points:
            self._run.log({**point.values, _STEP: point.step, "_timestamp": point.time})

    def close(self, end: End | None, outcome: str) -> None:
        """See Client."""
        self._run.summary["outcome"] = outcome
        if end is None:
            self._run.mark_preempting()
        self._run.finish(exit_code=0 if end == "Finished" else 1)
        if self._directory is None or self._directory == self._storage.local_directory:
            return
        if self._wanted.mode == "Offline":
            self._upload(self._directory)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _place(self) -> Path:
        directory = self._storage.local_directory
        if self._wanted.mode == "Online" or directory is None:
            return Path(tempfile.mkdtemp(prefix="trainingrun-wandb-"))
        return directory

    def _upload(self, directory: Path) -> None:
        for path in sorted(directory.glob(f"{FOLDER}/offline-run-*/*.wandb")):
            with self._storage.writer(str(path.relative_to(directory))) as file:
                file.write(path.read_bytes())

    def _unauthorised(self, error: Exception) -> PermissionError:
        return PermissionError(
            f"Weights & Biases refuses the credentials ({error}); spec.tracking.wandb.secretRef names the Secret with "
            "WANDB_API_KEY; on one machine it is a variable of the environment"
        )


def _settings(wandb: Any) -> Any:
    """It neither reads this process's output, nor looks for code or at the machine, nor asks anybody anything."""
    return wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        disable_code=True,
        silent=True,
        login_timeout=1,
        init_timeout=_START_SECONDS,
        finish_timeout=_FINISH_SECONDS,
        x_disable_stats=True,
    )
