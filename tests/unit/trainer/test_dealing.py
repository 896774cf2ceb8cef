"""Every step is a whole batch in equal shares: no row is lost, given twice, or moved in vain."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.train.dealing import Deal, Transfer, deal, shares, wanted_rows

RANKS = st.integers(1, 6)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], list[bool], tuple[int, ...]]:
    """What some ranks have, whether their data has ended, and what they want."""
    ranks = draw(RANKS)
    available = draw(st.lists(st.integers(0, 60), min_size=ranks, max_size=ranks))
    ended = draw(st.lists(st.booleans(), min_size=ranks, max_size=ranks))
    return available, ended, shares(draw(st.integers(1, 40)), ranks)


def after(available: list[int], found: Deal) -> list[int]:
    """What the ranks have once the rows are handed over; nobody gives what it does not have."""
    rows = list(available)
    for transfer in found.transfers:
        assert transfer.rows > 0
        assert transfer.source != transfer.target
        rows[transfer.source] -= transfer.rows
        rows[transfer.target] += transfer.rows
        assert rows[transfer.source] >= 0
    return rows


@given(tables())
def test_each_step_is_a_whole_batch_or_the_last_one(drawn: tuple[list[int], list[bool], tuple[int, ...]]) -> None:
    available, ended, wanted = drawn
    found = deal(available, ended, wanted)
    if found is None:
        assert sum(available) < sum(wanted) and not all(ended)
        return
    assert sum(found.rows) == min(sum(available), sum(wanted))
    assert max(found.rows) - min(found.rows) <= 1
    had = after(available, found)
    assert sum(had) == sum(available)
    assert all(rows >= share for rows, share in zip(had, found.rows, strict=True))
    assert found == deal(list(available), list(ended), list(wanted))


@given(tables())
def test_no_row_moves_in_vain(drawn: tuple[list[int], list[bool], tuple[int, ...]]) -> None:
    """Who gives does not take, who takes had too little, and who gives keeps what it needs for as many steps."""
    available, ended, wanted = drawn
    found = deal(available, ended, wanted)
    if found is None or not found.transfers:
        return
    givers, takers = ({t.source for t in found.transfers}, {t.target for t in found.transfers})
    assert not givers & takers
    assert len(found.transfers) < len(available)
    had = after(available, found)
    ahead = sum(available) // sum(wanted)
    for rank in takers:
        assert available[rank] < max(found.rows[rank], wanted[rank] * ahead)
        assert had[rank] <= max(found.rows[rank], wanted[rank] * ahead)
    for rank in givers:
        assert had[rank] >= found.rows[rank]


@given(tables())
def test_ranks_that_all_have_their_share_exchange_nothing(
    drawn: tuple[list[int], list[bool], tuple[int, ...]],
) -> None:
    available, ended, wanted = drawn
    enough = [rows + share for rows, share in zip(available, wanted, strict=True)]
    assert deal(enough, ended, wanted) == Deal(wanted)


@given(
    st.lists(st.lists(st.integers(0, 30), max_size=6), min_size=1, max_size=5),
    st.integers(1, 25),
    st.integers(1, 3),
)
def test_an_epoch_has_the_steps_that_its_rows_make(blocks: list[list[int]], batch: int, accumulation: int) -> None:
    """Ranks get blocks of any sizes, one a round, and train what they are dealt: each row once, in whole batches."""
    ranks = len(blocks)
    coming = [list(mine) for mine in blocks]
    held: list[list[tuple[int, int, int]]] = [[] for _ in blocks]
    trained: list[list[tuple[int, int, int]]] = []
    while True:
        wanted = wanted_rows(batch * accumulation, accumulation, ranks, len(trained))
        while (found := deal([len(rows) for rows in held], [not mine for mine in coming], wanted)) is None:
            for rank, mine in enumerate(coming):
                if mine:
                    held[rank] += [(rank, len(mine), row) for row in range(mine.pop())]
        for transfer in found.transfers:
            moved = held[transfer.source][-transfer.rows :]
            del held[transfer.source][-transfer.rows :]
            held[transfer.target] += moved
        if not sum(found.rows):
            break
        step = [row for rank, rows in enumerate(found.rows) for row in held[rank][:rows]]
        for rank, rows in enumerate(found.rows):
            del held[rank][:rows]
        trained.append(step)
    assert not any(held)
    every = [row for step in trained for row in step]
    assert len(set(every)) == len(every) == sum(map(sum, blocks))
    assert len(trained) == -(-len(every) // batch)
    assert all(len(step) == batch for step in trained[:-1])


def test_every_small_case_moves_as_few_rows_as_can_be() -> None:
    """Three ranks with up to six rows each: as many move as are lacking where a step is possible, by any other way."""
    for available in itertools.product(range(7), repeat=3):
        for batch in range(1, 8):
            wanted = shares(batch, 3)
            found = deal(available, (True, True, True), wanted)
            assert found is not None
            ahead = max(1, sum(available) // batch) if sum(available) >= batch else 0
            least = [share * ahead for share in wanted] if ahead else list(found.rows)
            lacking = sum(max(0, share - rows) for rows, share in zip(available, least, strict=True))
            is_needed = any(rows < share for rows, share in zip(available, found.rows, strict=True))
            assert sum(transfer.rows for transfer in found.transfers) == (lacking if is_needed else 0)


def test_a_rank_that_is_short_waits_only_while_the_others_cannot_help() -> None:
    assert deal([10, 0], [False, False], [6, 6]) is None
    assert deal([12, 0], [False, False], [6, 6]) == Deal((6, 6), (Transfer(0, 1, 6),))
    assert deal([100, 3], [False, False], [6, 6]) == Deal((6, 6), (Transfer(0, 1, 3),))
    assert deal([5, 0, 0], [True, True, True], [4, 4, 4]) == Deal((2, 2, 1), (Transfer(0, 1, 2), Transfer(0, 2, 1)))
    assert deal([0, 0], [True, True], [4, 4]) == Deal((0, 0))


def test_a_rank_whose_data_has_ended_gets_rows_for_some_steps_at_once() -> None:
    assert deal([100, 3], [False, True], [6, 6]) == Deal((6, 6), (Transfer(0, 1, 45),))
    assert deal([10_000, 0], [False, True], [6, 6]) == Deal((6, 6), (Transfer(0, 1, 96),))
    assert deal([100, 0, 0], [False, True, False], [6, 6, 6]) == Deal(
        (6, 6, 6), (Transfer(0, 1, 30), Transfer(0, 2, 6))
    )


@pytest.mark.parametrize(
    ("batch", "accumulation", "ranks", "expected"),
    [
        (64, 1, 3, [(22, 21, 21)]),
        (64, 2, 2, [(16, 16), (16, 16)]),
        (10, 3, 2, [(2, 2), (2, 1), (2, 1)]),
        (2, 1, 3, [(1, 1, 0)]),
    ],
)
def test_a_batch_is_shared_out_to_the_row(
    batch: int, accumulation: int, ranks: int, expected: list[tuple[int, ...]]
) -> None:
    found = [wanted_rows(batch, accumulation, ranks, micro) for micro in range(2 * accumulation)]
    assert found == 2 * expected
    assert sum(map(sum, found)) == 2 * batch
