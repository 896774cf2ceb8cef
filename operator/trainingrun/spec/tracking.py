"""Where a run's curves go besides its own records and report."""

from __future__ import annotations

from pydantic import Field

from trainingrun.spec.model import Model


class Tracking(Model):
    """What other tools get of a run's curves."""

    tensorboard: bool = Field(
        default=True, description="Whether event files for TensorBoard are written to the run's folder."
    )
