"""How the parts of the engine name a run. Nothing else belongs here."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """A run, as the queue and the logs name it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
