"""Works out how many rows each rank trains in a step, and who hands rows to whom so that every rank has its share.

Each rank's rows come in an order of their own that nothing changes. So that what a rank trains follows from that alone,
and never from who was late, rows move only to ranks whose own have ended: an epoch ends on the same step everywhere,
and a transform that drops rows may leave a rank with fewer. Pure functions of what the ranks have told each other, so
that all of them come to the same result without asking again. No I/O, no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Transfer:
    """Rank `source` hands the first `rows` of its rows to rank `target`."""

    source: int
    target: int
    rows: int


@dataclass(frozen=True)
class Deal:
    """What a step is made of: each rank's number of rows, and the transfers that come before it.

    Without any rows the data has ended.
    """

    rows: tuple[int, ...]
    transfers: tuple[Transfer, ...] = ()


@dataclass(frozen=True)
class Missing:
    """There is no deal before each rank has so many rows, or knows that no more will come to it."""

    rows: tuple[int, ...]


def shares(total: int, parts: int) -> tuple[int, ...]:
    """`total` in so many whole parts that differ by one at most, the larger ones first."""
    each, more = divmod(total, parts)
    return tuple(each + (part < more) for part in range(parts))


def wanted_rows(global_batch_size: int, accumulation_steps: int, ranks: int, micro_step: int) -> tuple[int, ...]:
    """Each rank's share of a micro-batch, of which `accumulation_steps` make one step of `global_batch_size` rows."""
    return shares(shares(global_batch_size, accumulation_steps)[micro_step % accumulation_steps], ranks)


def deal(available: Sequence[int], ended: Sequence[bool], wanted: Sequence[int], *, step: int) -> Deal | Missing:
    """The next step, number `step`, of ranks that have `available` rows and want `wanted`.

    Every step has all of the rows that are wanted, except the last one: it has what is left once all ranks' data has
    `ended`, in equal shares. How many rows a rank has beyond those that are asked of it changes nothing.
    """
    needed = list(wanted)
    if not _are_there(available, ended, needed):
        return Missing(tuple(needed))
    lacking = sum(max(0, share - rows) for rows, share in zip(available, wanted, strict=True))
    # Another rank is the first to give at each step, so that all of them end together.
    ranks = len(wanted)
    for rank in ((step + place) % ranks for place in range(ranks)):
        if lacking and available[rank] >= wanted[rank]:
            needed[rank] += lacking
            if not _are_there(available, ended, needed):
                return Missing(tuple(needed))
            needed[rank] = min(needed[rank], available[rank])
            lacking -= needed[rank] - wanted[rank]
    if lacking:
        rest = shares(sum(available), ranks)
        return Deal(rest, _transfers(available, rest))
    held = [min(rows, most) for rows, most in zip(available, needed, strict=True)]
    return Deal(tuple(wanted), _transfers(held, wanted))


def _are_there(available: Sequence[int], ended: Sequence[bool], needed: Sequence[int]) -> bool:
    return all(rows >= least or is_last for rows, is_last, least in zip(available, ended, needed, strict=True))


def _transfers(available: Sequence[int], least: Sequence[int]) -> tuple[Transfer, ...]:
    """The fewest rows that must move so that every rank has at least `least`; there are enough in all."""
    spare = [rows - share for rows, share in zip(available, least, strict=True)]
    # The largest first: that takes few messages, never more than there are ranks.
    givers = sorted((rank for rank, rows in enumerate(spare) if rows > 0), key=lambda rank: (-spare[rank], rank))
    takers = sorted((rank for rank, rows in enumerate(spare) if rows < 0), key=lambda rank: (spare[rank], rank))
    transfers: list[Transfer] = []
    for taker in takers:
        while spare[taker] < 0:
            giver = givers[0]
            rows = min(spare[giver], -spare[taker])
            transfers.append(Transfer(giver, taker, rows))
            spare[giver] -= rows
            spare[taker] += rows
            if not spare[giver]:
                givers.pop(0)
    return tuple(transfers)
