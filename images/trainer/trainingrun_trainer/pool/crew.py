"""The data workers that there are: one actor for each slot of the data group's nodes, whichever nodes come and go.

Runs in the hub's event loop, which it must never block. What workers do is none of its business.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from trainingrun_trainer.failures.errors import NodesLost
from trainingrun_trainer.placement import DATA_SELECTOR, Node, live_nodes
from trainingrun_trainer.pool.making import Work
from trainingrun_trainer.pool.worker import DataWorker, Trouble

_LOOK_SECONDS = 2.0
# One event loop hands out the work of all of them.
MOST_WORKERS = 512
# At so many looks in a row, workers have ended as they started, on nodes that are there, and none has started: half a
# minute, in which Ray would have noticed that a node is gone.
_MOST_FAILED_LOOKS = 15


@dataclass(frozen=True)
class Member:
    """A data worker: `name` is used once only, `node` is Ray's id, `handle` the actor's."""

    name: str
    node: str
    handle: Any


class Crew:
    """See the module.

    `joined` is awaited for each worker that is there, `left` called for each that is known to be gone, and `used` says
    which of the data group's nodes, in the order in which they came, are to have workers, by their ids. `works` are
    what workers are made with, `options` what Ray is to reserve for each; there are at most `most`.
    """

    def __init__(
        self,
        works: Mapping[str, Work],
        options: Mapping[str, Any],
        most: int,
        *,
        joined: Callable[[Member], Coroutine[Any, Any, None]],
        left: Callable[[str], None],
        used: Callable[[Sequence[Node]], Collection[str]],
    ):
        self._works = works
        self._options = dict(options)
        self._most = most
        self._joined = joined
        self._left = left
        self._used = used
        self._came: dict[str, None] = {}
        self._members: dict[str, Member] = {}
        self._hired = 0
        self._ready: set[str] = set()
        self._failed_looks = 0
        self._failed_on: set[str] = set()
        self._starts: set[asyncio.Task[None]] = set()
        self._trouble: Exception | None = None
        self._news = asyncio.Event()

    async def keep(self) -> None:
        """Have a worker in each slot, for ever.

        Raises NodesLost where workers do not start, again and again, and what the author's code raises as they do.
        """
        works = ray.put(dict(self._works))
        while self._failed_looks < _MOST_FAILED_LOOKS:
            self._fit(await asyncio.to_thread(live_nodes), works)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _LOOK_SECONDS)
            self._news.clear()
            if self._trouble is not None:
                raise self._trouble
        raise NodesLost(
            "for half a minute, all data workers have ended as they started, on live nodes of the data group; "
            "Ray's logs of these nodes may say why"
        )

    @property
    def ready_nodes(self) -> int:
        """Nodes that have a worker that is there."""
        return len({self._members[name].node for name in self._ready if name in self._members})

    def handle(self, name: str) -> Any:
        """The actor of a worker that is there."""
        return self._members[name].handle

    def node(self, name: str) -> str:
        """Where a worker is, or was."""
        return name.partition("/")[0]

    def lose(self, name: str) -> None:
        """A worker does not answer any more; Ray ends what is left of it, since nobody holds its handle."""
        self._ready.discard(name)
        if self._members.pop(name, None) is not None:
            self._left(name)

    def _fit(self, nodes: Iterable[Node], works: Any) -> None:
        live = {node.node_id: node for node in nodes if node.has(DATA_SELECTOR)}
        self._came = dict.fromkeys([*filter(live.__contains__, self._came), *live])
        # Workers of the others end, so that a node that is not needed is idle, and its autoscaler takes it.
        data = {node: live[node] for node in self._used([live[node] for node in self._came])}
        for member in [member for member in self._members.values() if member.node not in data]:
            self.lose(member.name)
        self._failed_looks += bool(self._failed_on & data.keys())
        self._failed_on.clear()
        there = Counter(member.node for member in self._members.values())
        missing = {node: slots_of(data[node], self._options) - there[node] for node in data}
        # A worker on each node first: nodes that wait for one another would share less evenly.
        for turn in range(max(missing.values(), default=0)):
            for node, count in missing.items():
                if turn < count and len(self._members) < self._most:
                    self._hire(node, works)

    def _hire(self, node: str, works: Any) -> None:
        name = f"{node}/{self._hired}"
        self._hired += 1
        actor = ray.remote(DataWorker).options(
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            **self._options,
        )
        member = Member(name, node, actor.remote(works))
        self._members[name] = member
        start = asyncio.get_running_loop().create_task(self._start(member))
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)

    async def _start(self, member: Member) -> None:
        try:
            trouble: Trouble | None = await member.handle.ready.remote()
        except ray.exceptions.RayError:
            self._failed_on.add(member.node)
            self.lose(member.name)
            return
        self._failed_looks = 0
        if trouble is not None:
            self._trouble = trouble.error
            self._news.set()
        elif member.name in self._members:
            self._ready.add(member.name)
            await self._joined(member)


def slots_of(node: Node, options: Mapping[str, Any]) -> int:
    """How many data workers that ask for `options` a node holds, by its CPUs."""
    return int(round(node.cpus / options["num_cpus"], 4))
