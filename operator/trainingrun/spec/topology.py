"""How near to each other the pods are placed that train together."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from trainingrun.errors import Problem
from trainingrun.spec.model import Key, Model


class Topology(Model):
    """The domain that trainer pods share, by a label of nodes: exactly one of preferred and required."""

    preferred: Key | None = Field(
        default=None, description="Label of nodes whose value they share if they can, at most 317 characters."
    )
    required: Key | None = Field(
        default=None, description="Label of nodes whose value they share or else wait, at most 317 characters."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one of them."""
        if (self.preferred is None) == (self.required is None):
            found = "neither" if self.preferred is None else "both"
            yield Problem("", f"{found} of preferred and required", "exactly one of them")
