"""Carries out what sizing decides: asks Ray's autoscaler for data nodes, and says which nodes to let go of.

Requests go through Ray's own coordinator, an actor that joins the requests of all. Ray Train asks it for the training
workers, and it sends what it has to the autoscaler every 20 seconds: a request past it would be lost by then.
It must never make the hub wait, so that Ray is talked to in a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from trainingrun_trainer.placement import DATA_SELECTOR
from trainingrun_trainer.pool.figures import Figures as PoolFigures
from trainingrun_trainer.pool.load import Figures
from trainingrun_trainer.pool.sizing import Limits, State, Wanted, begin, decide

# Ray's own label of each node.
_NODE_LABEL = "ray.io/node-id"
_COORDINATOR = "AutoscalingCoordinator"
_REQUESTER = "trainingrun-data"
_RENEWAL_SECONDS = 15.0
# Nobody renews the request once the hub is gone.
_EXPIRY_SECONDS = 180.0


def request_of(nodes: int, cpus: float, leaving: Iterable[str]) -> dict[str, Any]:
    """The coordinator's arguments for so many data nodes, each with so many CPUs, beside those that are `leaving`.

    Without that, the autoscaler might count a node that has been let go of, and let it live for ever in place of
    one that works: it keeps any that fit.
    """
    left = sorted(leaving)
    selector = {**DATA_SELECTOR, **({_NODE_LABEL: f"!in({','.join(left)})"} if left else {})}
    return {
        "requester_id": _REQUESTER,
        "resources": [{"CPU": cpus}] * nodes,
        "label_selectors": [selector] * nodes,
        "subcluster_selector": dict(DATA_SELECTOR),
        "expire_after_s": _EXPIRY_SECONDS,
    }


class NodeRequest:
    """Keeps one request with the coordinator and renews it. `cpus` are Ray's CPUs of each data node."""

    def __init__(self, cpus: float):
        self._cpus = cpus
        self._asked: tuple[int, tuple[str, ...]] | None = None
        self._changed = threading.Event()
        self._failing_since: float | None = None
        threading.Thread(target=self._renew, name="trainingrun-nodes", daemon=True).start()

    def ask(self, nodes: int, leaving: Sequence[str]) -> None:
        """From now on so many data nodes are wanted beside those `leaving`, given by Ray's ids. Returns at once."""
        asked = nodes, tuple(sorted(leaving))
        if asked != self._asked:
            self._asked = asked
            self._changed.set()

    def failing_seconds(self, now: float) -> float:
        """For how long nobody has taken the request, 0 if somebody has; `now` is of `time.monotonic`."""
        return 0.0 if self._failing_since is None else now - self._failing_since

    def _renew(self) -> None:
        while True:
            self._changed.wait(_RENEWAL_SECONDS if self._failing_since is None else 1.0)
            self._changed.clear()
            if self._asked is not None:
                self._send(*self._asked)

    def _send(self, nodes: int, leaving: Sequence[str]) -> None:
        try:
            # Ray Train makes the actor as it starts.
            coordinator = ray.get_actor(_COORDINATOR, namespace=_COORDINATOR)
            request = request_of(nodes, self._cpus, leaving)
            ray.get(coordinator.request_resources.remote(**request), timeout=_RENEWAL_SECONDS)
            self._failing_since = None
        except Exception:  # whatever it is, the next try may do, and what lasts is told
            if self._failing_since is None:
                self._failing_since = time.monotonic()


@dataclass
class Sizer:
    """What the hub asks and tells: see the methods. `request` is None where no autoscaler brings nodes."""

    limits: Limits
    request: NodeRequest | None = None
    _state: State = field(init=False)
    _sums: Figures = field(init=False)

    def __post_init__(self) -> None:
        self._state = begin(self.limits)
        self._sums = Figures(nodes=0)
        self.wanted = Wanted(self.limits.least, self._state.reason)

    def published(self, status: Mapping[str, Any]) -> None:
        """Rank 0 has published a status: fields of the record Progress."""
        self._sums = self._sums.plus(replace(fed(status), nodes=self._sums.nodes))

    def look(self, nodes: int, pool: PoolFigures, now: float) -> Wanted:
        """Decide, now that data workers on `nodes` nodes are there, and the pool's sums since its start are `pool`.

        Call it every second or two; `now` is of `time.monotonic`.
        """
        self._sums = replace(
            self._sums,
            nodes=nodes,
            busy_seconds=pool.busy_seconds,
            worker_seconds=pool.worker_seconds,
            made_rows=pool.rows_made,
            taken_rows=pool.rows_taken,
        )
        self._state, self.wanted = decide(self._state, self._sums, now)
        if self.request is not None and self.request.failing_seconds(now) > _EXPIRY_SECONDS:
            reason = "Ray's autoscaling coordinator does not take the request for data nodes; the group stays as it is."
            self.wanted = replace(self.wanted, reason=reason)
        return self.wanted

    def used(self, nodes: Sequence[str]) -> list[str]:
        """Of the live data nodes, in the order in which they were first seen, those that are to have workers.

        The others are let go of: without workers they are idle, and the autoscaler takes them.
        """
        if not self.limits.can_grow or self.request is None:
            return list(nodes)
        used = list(nodes[: self.wanted.nodes])
        self.request.ask(self.wanted.nodes, nodes[self.wanted.nodes :])
        return used


def fed(status: Mapping[str, Any]) -> Figures:
    """What a status says of how trainers were fed since the status before; nothing if they did not train."""
    seconds, rate, stall = (status.get(name) for name in ("recent_seconds", "recent_rows_per_second", "recent_stall"))
    if not seconds or rate is None or stall is None:
        return Figures(nodes=0)
    causes = {cause: seconds * percent / 100 for cause, percent in stall.causes.items()}
    waited = seconds * stall.total_percent / 100
    return Figures(nodes=0, rows=rate * seconds, seconds=seconds, waited_seconds=waited, causes=causes)
