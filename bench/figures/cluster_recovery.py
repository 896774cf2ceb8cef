"""How long training on a real cluster stands still when a trainer's pod or the head's pod is killed.

One run suffers all of it. A pod is killed as by a node that dies: its containers by SIGKILL, then the pod is removed.
"""

from __future__ import annotations

import dataclasses

from bench.cluster.cluster import open_cluster
from bench.cluster.long_training import Loss, kill, start_training
from bench.result import Measure, Result
from bench.workspace import Workspace


def measure(rounds: int, workspace: Workspace) -> Result:
    """Rounds of both kills, in turns."""
    kind = open_cluster(workspace)
    losses: dict[str, list[Loss]] = {"trainer": [], "head": []}
    with kind.namespace("recovery") as namespace:
        (run,) = start_training(namespace, "digits")
        for _ in range(rounds):
            for group, found in losses.items():
                found.append(kill(run, kind.faults, group))
    measures, raw = [], {}
    for group, found in losses.items():
        title = f"{group}'s pod killed, until the next step"
        measures.append(Measure(f"cluster_{group}_killed", title, "s", [loss.seconds for loss in found]))
        raw[group] = [dataclasses.asdict(loss) for loss in found]
    return Result("cluster_recovery", measures, {**raw, "versions": kind.versions()})
