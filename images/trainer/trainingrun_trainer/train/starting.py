"""Takes what a run that has no checkpoint of its own is to start from, for one rank of it.

Collective: every rank gets the same. Of another run's checkpoint, what says how far training had come means something
only for the same training data.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train import recipe_changes
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Manifest, Position
from trainingrun_trainer.train.initial import Initial
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.restored import Part, Restored
from trainingrun_trainer.train.stall_clock import StallClock
from trainingrun_trainer.train.stored_checkpoint import fetched

# What a user can do who does not want more than the weights.
WEIGHTS_ONLY = "spec.recipe.initialCheckpoint.what: Weights takes the model alone"


def start_from(initial: Initial, lockstep: Lockstep, recorded: dict[str, Any], copies: Path) -> Restored:
    """What the run starts from, with copies of its files in `copies`; `recorded` is as a Saver's.

    Raises InvalidConfiguration where it is not there, or no run of this recipe can go on from it.
    """
    rank = lockstep.rank
    # Rank 0 chooses, and carries what all ranks had used of the epoch.
    found = (
        fetched(initial.location, initial.field, lambda file: _is_for(file, 0, initial), copies) if not rank else None
    )
    location = lockstep.broadcast(found.location if found is not None else None)
    if found is None:
        found = fetched(location, initial.field, lambda file: _is_for(file, rank, initial), copies)
    manifest = found.manifest
    if not initial.is_all:
        where = f" (epoch {manifest.position.epoch}, step {manifest.position.step})" if manifest is not None else ""
        said = f"training begins with the weights of {location}{where}; all else is new"
        return Restored(location, found.file, Position(), part=Part.WEIGHTS, field=initial.field, said=said)
    if manifest is None:
        raise InvalidConfiguration(
            f"{initial.field}: found {location}, which holds weights alone, with what: All; allowed: a checkpoint, or "
            "what: Weights"
        )
    restored = Restored(location, found.file, manifest.position, field=initial.field)
    changes = recipe_changes.changes(_of_training(manifest.recorded), _of_training(recorded), WEIGHTS_ONLY)
    return dataclasses.replace(restored, changes=changes, **_taken(location, manifest, recorded))


def _of_training(recorded: dict[str, Any]) -> dict[str, Any]:
    """What is recorded of a run, without what it started from itself."""
    recipe = {name: value for name, value in recorded.get("recipe", {}).items() if name != "initialCheckpoint"}
    return {**recorded, "recipe": recipe} if recorded else {}


def _is_for(file: str, rank: int, initial: Initial) -> bool:
    if file == STATE_FILE or not initial.is_all:
        return file == STATE_FILE
    return file == f"random-{rank}.pt" or (rank == 0 and file.startswith("rows-"))


def _taken(location: str, manifest: Manifest, recorded: dict[str, Any]) -> dict[str, Any]:
    """What of the checkpoint is taken, as fields of Restored."""
    then, now = manifest.recorded.get("dataset"), recorded.get("dataset")
    if then is None or now is None or then["sha256"] != now["sha256"]:
        said = (
            f"training goes on from {location} with its weights and the states of loss, optimizer and scheduler; its "
            "training data were others, so that epochs count from 0 again"
        )
        return {"part": Part.LEARNT, "position": Position(), "said": said}
    # Its time, and what was its best, are not this run's.
    position = dataclasses.replace(
        manifest.position, started_at=time.time(), productive_seconds=0.0, clock=StallClock(), best=None
    )
    said = f"training goes on from {location} with all of it, at epoch {position.epoch}, step {position.step}"
    return {"position": position, "said": said}


def origin(restored: Restored | None) -> dict[str, str | None]:
    """Where training starts, as fields of the record AttemptStarted."""
    name = restored.name if restored is not None else None
    is_own = restored is None or restored.is_own
    return {"resumed_from": name if is_own else None, "initial_checkpoint": None if is_own else name}


def refuse_trained(restored: Restored, epochs: int) -> None:
    """Raise InvalidConfiguration where a run would end before it has begun: it had nothing to add to another's."""
    position = restored.position
    done = position.epoch + (0 < position.epoch_step == position.steps_per_epoch)
    if not restored.is_own and done >= epochs:
        raise InvalidConfiguration(
            f"spec.recipe.epochs: found {epochs}, which {restored.name} has behind it, and what: All counts them; "
            f"allowed: more than {done}, or what: Weights"
        )


def refuse_unasked(restored: Restored | None, initial: Initial | None) -> None:
    """Raise InvalidConfiguration where an author's loop trains without having asked what to start from."""
    if initial is not None and restored is None:
        raise InvalidConfiguration(
            f"{initial.field}: found {initial.location}, which spec.recipe.loop does not take; allowed: a loop that "
            "calls session.restore() before session.train_steps()"
        )
