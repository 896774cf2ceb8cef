"""Works out how many rows each rank trains in a step, and who hands rows to whom so that every rank has its share.

Rows reach ranks in blocks, as Ray deals them: one rank can run dry while another has thousands. Pure functions of what
the ranks have told each other, so that all of them come to the same result without asking again. No I/O, no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A rank whose data has ended gets the rows of so many steps at once, if there are as many: each deal costs a message.
# One that is only short for the moment gets those of one step: its own rows are on the way.
_STEPS_AT_ONCE = 16


@dataclass(frozen=True)
class Transfer:
    """Rank `source` hands `rows` of its rows to rank `target`."""

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


def shares(total: int, parts: int) -> tuple[int, ...]:
    """`total` in so many whole parts that differ by one at most, the larger ones first."""
    each, more = divmod(total, parts)
    return tuple(each + (part < more) for part in range(parts))


def wanted_rows(global_batch_size: int, accumulation_steps: int, ranks: int, micro_step: int) -> tuple[int, ...]:
    """Each rank's share of a micro-batch, of which `accumulation_steps` make one step of `global_batch_size` rows."""
    return shares(shares(global_batch_size, accumulation_steps)[micro_step % accumulation_steps], ranks)


def deal(available: Sequence[int], ended: Sequence[bool], wanted: Sequence[int]) -> Deal | None:
    """The next step of ranks that have `available` rows and want `wanted`; None while more rows must come first.

    Every step has all of the rows that are wanted, except the last one: it has what is left once all ranks' data has
    `ended`, in equal shares.
    """
    total, needed = sum(available), sum(wanted)
    if total < needed:
        if not all(ended):
            return None
        rest = shares(total, len(wanted))
        return Deal(rest, _transfers(available, rest))
    if all(rows >= share for rows, share in zip(available, wanted, strict=True)):
        return Deal(tuple(wanted))
    steps = min(total // needed, _STEPS_AT_ONCE)
    least = [share * (steps if is_last else 1) for share, is_last in zip(wanted, ended, strict=True)]
    return Deal(tuple(wanted), _transfers(available, least))


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
