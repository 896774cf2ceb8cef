"""Keeps ranks with unequal data in step, so that every row is trained on once and no rank waits forever.

Before each step the ranks report to each other what they have. The exchange is a few numbers over gloo on the CPU: on a
GPU it hides behind the step that is still running. What follows from them is decided in `dealing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Reports:
    """What all ranks have told each other before a step.

    `available` is each rank's number of rows that are not trained yet, `has_ended` whether no more will come to it,
    `waited_seconds` the longest that any rank's device has waited for data, `bad_rows` what all have counted together,
    `must_stop` whether rank 0 was asked to stop.
    """

    available: tuple[int, ...]
    has_ended: tuple[bool, ...]
    waited_seconds: float
    bad_rows: int
    must_stop: bool


class Lockstep:
    """The ranks' exchange. Every rank must call its methods equally often and in the same order."""

    def __init__(self, rank: int, world_size: int):
        self.rank = rank
        self.world_size = world_size
        self._group: Any = dist.new_group(backend="gloo") if world_size > 1 else None

    def report(
        self, *, available: int, has_ended: bool, waited_seconds: float, bad_rows: int, must_stop: bool
    ) -> Reports:
        """Exchange what this rank has for the next step."""
        if self._group is None:
            return Reports((available,), (has_ended,), waited_seconds, bad_rows, must_stop)
        mine = torch.tensor([available, has_ended, waited_seconds, bad_rows, must_stop], dtype=torch.float64)
        gathered = torch.empty(self.world_size * len(mine), dtype=torch.float64)
        dist.all_gather_into_tensor(gathered, mine, group=self._group)
        everyone = gathered.reshape(self.world_size, len(mine))
        return Reports(
            available=tuple(int(value) for value in everyone[:, 0]),
            has_ended=tuple(bool(value) for value in everyone[:, 1]),
            waited_seconds=float(everyone[:, 2].max()),
            bad_rows=int(everyone[:, 3].sum()),
            must_stop=bool(everyone[0, 4]),
        )

    def send(self, value: bytes, target: int) -> None:
        """Give `value` to rank `target`, which must call `receive`. The other ranks take no part."""
        data = torch.frombuffer(bytearray(value), dtype=torch.uint8)
        dist.send(torch.tensor([len(data)]), target, group=self._group)
        dist.send(data, target, group=self._group)

    def receive(self, source: int) -> bytearray:
        """What rank `source` sends to this one."""
        size = torch.empty(1, dtype=torch.int64)
        dist.recv(size, source, group=self._group)
        value = bytearray(int(size))
        dist.recv(torch.frombuffer(value, dtype=torch.uint8), source, group=self._group)
        return value

    def sum(self, values: list[float]) -> list[float]:
        """Element-wise sums over the ranks."""
        total = torch.tensor(values, dtype=torch.float64)
        if self._group is not None:
            dist.all_reduce(total, group=self._group)
        return total.tolist()

    def any(self, flags: list[bool]) -> list[bool]:
        """Element-wise, whether a flag is set on any rank."""
        mine = torch.tensor(flags, dtype=torch.uint8)
        if self._group is not None:
            dist.all_reduce(mine, op=dist.ReduceOp.MAX, group=self._group)
        return [bool(flag) for flag in mine.tolist()]

    def wait(self) -> None:
        """Return once every rank has got here."""
        if self._group is not None:
            dist.barrier(group=self._group)

    def broadcast(self, value: Any, *, source: int = 0) -> Any:
        """`value` of rank `source`, on every rank. It is pickled."""
        if self._group is None:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=source, group=self._group)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """Every rank's `value`, by rank. It is pickled."""
        if self._group is None:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value, group=self._group)
        return values


def ranks_by_node(node: str, lockstep: Lockstep) -> dict[str, list[int]]:
    """The ranks of each node; this one is on `node`. Collective."""
    ranks: dict[str, list[int]] = {}
    for rank, where in enumerate(lockstep.gather(node)):
        ranks.setdefault(where, []).append(rank)
    return ranks
