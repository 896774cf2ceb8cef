"""What a run starts from that has no checkpoint of its own yet: another run's, or a file of weights.

It must not know where a run's folder lies: the operator, and on one machine the driver, find that out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from trainingrun.errors import Problem
from trainingrun.spec.model import LabelName, Model, UriOrPath

# How a place on the run's own claim is written, as its status does.
CLAIM_SCHEME = "pvc://"


class InitialCheckpoint(Model):
    """Where training starts while the run has no checkpoint of its own: exactly one of run and uri."""

    run: LabelName | None = Field(
        default=None,
        description="A run of the same namespace, at most 63 characters: its newest whole checkpoint is taken.",
    )
    uri: UriOrPath | None = Field(
        default=None,
        description="URI, or path that every trainer can read, of a run's folder, of `best` or a checkpoint in it, or "
        "of a file of weights (`.pt`, `.safetensors`), at most 2048 characters; `pvc://<claim>/<path>` for the run's "
        "own claim.",
    )
    what: Literal["Weights", "All"] = Field(
        default="Weights",
        description="Weights: the model's parameters and buffers. All: also the state of the loss, the optimizer and "
        "the scheduler and, with the same training data, the epoch and the place in it.",
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one place."""
        if (self.run is None) == (self.uri is None):
            found = "neither" if self.run is None else "both"
            yield Problem("", f"{found} of run and uri", "exactly one of them")

    @property
    def field(self) -> str:
        """The path of the field that names the place."""
        return f"spec.recipe.initialCheckpoint.{'run' if self.run is not None else 'uri'}"
