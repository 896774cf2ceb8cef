"""Notices that nodes of the training are being preempted, early enough to save a checkpoint.

The driver looks, not the workers: a stop then reaches recipes, loops and scripts in the one way that every stop does,
and no step waits for the question.
"""

from __future__ import annotations

import time
from collections.abc import Collection

import ray

from trainingrun_trainer import placement

_LOOK_SECONDS = 1.0


class PreemptionWatch:
    """Looks for draining nodes, at most once a second. Those that drain already at its first look train nothing."""

    def __init__(self) -> None:
        self._next_look = 0.0
        self._before: set[str] | None = None

    def leaving(self, training_nodes: Collection[str]) -> list[str]:
        """Names of the nodes that train and are being drained; `training_nodes` are ids, or empty if not known.

        Nodes of the data group may go: their work is done again elsewhere.
        """
        if time.monotonic() < self._next_look:
            return []
        self._next_look = time.monotonic() + _LOOK_SECONDS
        now = draining_nodes()
        if self._before is None:
            self._before = now
        draining = now - self._before
        if not draining:
            return []
        nodes = [node for node in placement.live_nodes() if node.node_id in draining]
        if training_nodes:
            return sorted(node.name for node in nodes if node.node_id in training_nodes)
        return sorted(node.name for node in nodes if node.has(placement.TRAINER_SELECTOR))


def draining_nodes() -> set[str]:
    """Ids of the nodes that Ray has been told to drain. Ray Train's own watcher asks the same; nothing public tells."""
    return set(ray._private.state.state.get_draining_nodes())
