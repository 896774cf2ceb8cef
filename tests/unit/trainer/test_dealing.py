"""Every step is a whole batch in equal shares, whatever the timing: no row is lost, given twice, or moved in vain."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.train.dealing import Deal, Missing, Transfer, deal, shares, wanted_rows

RANKS = st.integers(1, 6)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[int], list[bool], tuple[int, ...], int]:
    """What some ranks have, whether their data has ended, what they want, and which step it is."""
    ranks = draw(RANKS)
    available = draw(st.lists(st.integers(0, 60), min_size=ranks, max_size=ranks))
    ended = draw(st.lists(st.booleans(), min_size=ranks, max_size=ranks))
    return available, ended, shares(draw(st.integers(1, 40)), ranks), draw(st.integers(0, 9))


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
def test_each_step_is_a_whole_batch_or_the_last_one(drawn: tuple[list[int], list[bool], tuple[int, ...], int]) -> None:
    available, ended, wanted, step = drawn
    found = deal(available, ended, wanted, step=step)
    if isinstance(found, Missing):
        # Somebody can do something about it: otherwise all would wait for ever.
        ranks = zip(available, ended, found.rows, wanted, strict=True)
        assert all(asked >= share for _, _, asked, share in zip(available, ended, found.rows, wanted, strict=True))
        assert any(rows < asked and not is_last for rows, is_last, asked, _ in ranks)
        return
    assert sum(found.rows) == min(sum(available), sum(wanted))
    assert max(found.rows) - min(found.rows) <= 1
    had = after(available, found)
    assert all(rows >= share for rows, share in zip(had, found.rows, strict=True))
    if sum(found.rows) < sum(wanted):
        assert all(ended)


@given(tables())
def test_only_ranks_whose_rows_have_ended_are_given_some(
    drawn: tuple[list[int], list[bool], tuple[int, ...], int],
) -> None:
    """Who gives does not take, and who takes is given what it lacks and no more."""
    available, ended, wanted, step = drawn
    found = deal(available, ended, wanted, step=step)
    if isinstance(found, Missing):
        return
    givers, takers = ({t.source for t in found.transfers}, {t.target for t in found.transfers})
    assert not givers & takers
    assert all(ended[rank] for rank in takers)
    had = after(available, found)
    lacking = [max(0, share - rows) for rows, share in zip(available, found.rows, strict=True)]
    assert sum(transfer.rows for transfer in found.transfers) == sum(lacking)
    assert all(had[rank] == found.rows[rank] for rank in takers)
    assert all(had[rank] >= found.rows[rank] for rank in givers)


@given(tables())
def test_ranks_that_all_have_their_share_exchange_nothing(
    drawn: tuple[list[int], list[bool], tuple[int, ...], int],
) -> None:
    available, ended, wanted, step = drawn
    enough = [rows + share for rows, share in zip(available, wanted, strict=True)]
    assert deal(enough, ended, wanted, step=step) == Deal(wanted)


Row = tuple[int, int]


def trained(rows: list[int], batch: int, accumulation: int, comes: Callable[[int, int], int]) -> list[list[list[Row]]]:
    """What each rank trains in each step, of ranks with so many rows of which `comes(round, rank)` more come at a time.

    A rank knows that its rows have ended only one round after the last of them.
    """
    ranks = len(rows)
    coming = [[(rank, row) for row in range(count)] for rank, count in enumerate(rows)]
    held: list[list[Row]] = [[] for _ in rows]
    ended = [False] * ranks
    steps: list[list[list[Row]]] = []
    for round_ in itertools.count():
        assert round_ < 10_000, "the ranks wait for each other"
        wanted = wanted_rows(batch * accumulation, accumulation, ranks, len(steps))
        found = deal([len(mine) for mine in held], ended, wanted, step=len(steps))
        if isinstance(found, Missing):
            for rank, mine in enumerate(coming):
                ended[rank] = not mine
                count = comes(round_, rank)
                held[rank] += mine[:count]
                del mine[:count]
            continue
        for transfer in found.transfers:
            held[transfer.target] += held[transfer.source][: transfer.rows]
            del held[transfer.source][: transfer.rows]
        if not sum(found.rows):
            assert not any(held)
            return steps
        steps.append([mine[:count] for mine, count in zip(held, found.rows, strict=True)])
        for mine, count in zip(held, found.rows, strict=True):
            del mine[:count]
    raise AssertionError


@given(st.lists(st.integers(0, 80), min_size=1, max_size=5), st.integers(1, 25), st.integers(1, 3), st.randoms())
def test_what_ranks_train_depends_on_their_rows_alone(
    rows: list[int], batch: int, accumulation: int, random: Random
) -> None:
    """Rows come one at a time, all at once, or as chance will have it: the same steps, of whole batches."""
    steps = trained(rows, batch, accumulation, lambda round_, rank: 1)
    assert steps == trained(rows, batch, accumulation, lambda round_, rank: 1000)
    assert steps == trained(rows, batch, accumulation, lambda round_, rank: random.choice([0, 1, 7, 1000]))
    every = [row for step in steps for mine in step for row in mine]
    assert len(set(every)) == len(every) == sum(rows)
    assert len(steps) == -(-len(every) // batch)
    assert all(sum(map(len, step)) == batch for step in steps[:-1])


def test_a_rank_that_is_late_is_waited_for_however_much_the_others_have() -> None:
    assert deal([100, 3], [False, False], [6, 6], step=0) == Missing((6, 6))
    assert deal([100, 3], [True, False], [6, 6], step=0) == Missing((6, 6))


def test_a_rank_whose_rows_have_ended_is_given_what_it_lacks_by_one_after_the_other() -> None:
    assert deal([100, 3], [False, True], [6, 6], step=0) == Deal((6, 6), (Transfer(0, 1, 3),))
    assert deal([8, 3], [False, True], [6, 6], step=0) == Missing((9, 6))
    assert deal([8, 3], [True, True], [6, 6], step=0) == Deal((6, 5), (Transfer(0, 1, 2),))
    many = ([100, 0, 100], [False, True, False], [6, 6, 6])
    assert deal(*many, step=0) == Deal((6, 6, 6), (Transfer(0, 1, 6),))
    assert deal(*many, step=2) == Deal((6, 6, 6), (Transfer(2, 1, 6),))
    assert deal([7, 0, 100], [True, True, False], [6, 6, 6], step=0) == Deal(
        (6, 6, 6), (Transfer(2, 1, 5), Transfer(0, 1, 1))
    )


def test_the_last_rows_are_shared_out() -> None:
    ended = [True, True, True]
    assert deal([5, 0, 0], ended, [4, 4, 4], step=1) == Deal((2, 2, 1), (Transfer(0, 1, 2), Transfer(0, 2, 1)))
    assert deal([0, 0, 0], ended, [4, 4, 4], step=1) == Deal((0, 0, 0))


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
