"""How near to each other the pods are placed that train together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from trainingrun.errors import Problem
from trainingrun.spec.model import KEY_LENGTH, KEY_PATTERN, Model, text

TopologyKey = Annotated[
    str,
    text(
        KEY_LENGTH, pattern=f"^{KEY_PATTERN}$", words="the key of a label of nodes, as in topology.kubernetes.io/zone"
    ),
]


class Topology(Model):
    """The domain that trainer pods share, by a label of nodes: exactly one of preferred and required."""

    preferred: TopologyKey | None = Field(
        default=None, description="Label of nodes whose value they share if they can, at most 317 characters."
    )
    required: TopologyKey | None = Field(
        default=None, description="Label of nodes whose value they share or else wait, at most 317 characters."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one of them."""
        if (self.preferred is None) == (self.required is None):
            found = "neither" if self.preferred is None else "both"
            yield Problem("", f"{found} of preferred and required", "exactly one of them")
