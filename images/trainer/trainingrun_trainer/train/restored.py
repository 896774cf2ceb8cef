"""What training goes on from, once it is here: which checkpoint, which part of it, and its state.

It must not decide what is taken: who has found the checkpoint does.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.weights import weights_of


class Part(enum.Enum):
    """How much of a checkpoint is taken: all, all but how far training had come, or only the model's weights."""

    EVERYTHING = "everything"
    LEARNT = "learnt"
    WEIGHTS = "weights"


# What of a saved state says how far training had come.
_COUNTERS = ("epoch", "early_stopping")


@dataclass(frozen=True)
class Restored:
    """A checkpoint, or a file of weights, that was found whole, in a copy that is there until the next one is saved.

    `changes` are sentences: what of the recipe differs from the recorded one, and what becomes of it. `field` names
    the field of a run that starts from what is not its own; then `said` says what is taken of that.
    """

    name: str
    state_file: Path
    position: Position
    changes: tuple[str, ...] = ()
    part: Part = Part.EVERYTHING
    field: str | None = None
    said: str = ""

    @property
    def directory(self) -> Path:
        """The folder with the checkpoint's files."""
        return self.state_file.parent

    @property
    def notices(self) -> tuple[tuple[str, str], ...]:
        """What the run's author should know of it, each sentence behind its level."""
        said = (("Info", self.said),) if self.said else ()
        return (*(("Warning", change) for change in self.changes), *said)

    @property
    def is_own(self) -> bool:
        """Whether the run itself has saved it."""
        return self.field is None

    def state(self, device: torch.device) -> dict[str, Any]:
        """What is taken of the saved state, with its tensors on `device`; of Part.WEIGHTS, `model` alone.

        Raises InvalidConfiguration where there are no weights, or code would have to run to read them.
        """
        if self.part is Part.WEIGHTS:
            return {"model": weights_of(self.state_file, device, f"{self.field}: {self.name}")}
        # Checked against its digest; it may hold any state that a user's optimizer keeps.
        state: dict[str, Any] = torch.load(self.state_file, map_location=device, weights_only=False)
        left_out = _COUNTERS if self.part is Part.LEARNT else ()
        return {name: value for name, value in state.items() if name not in left_out}
