"""The account of used rows, on which resuming exactly rests."""

from __future__ import annotations

import io
import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.consumed import Consumed, Piece, row_ids

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def pieces(lengths: list[int]) -> list[Piece]:
    return [Piece(i, (f"{i}",), rows, rows=rows) for i, rows in enumerate(lengths)]


def ids_of(found: list[Piece]) -> np.ndarray:
    return np.concatenate([row_ids(piece, 0, piece.rows or 0) for piece in found])


@st.composite
def dataset_and_use(draw: st.DrawFn) -> tuple[list[Piece], np.ndarray]:
    """A dataset and the ids of some of its rows, in any order."""
    found = pieces(draw(LENGTHS))
    ids = ids_of(found)
    used = draw(st.lists(st.sampled_from(ids.tolist()), unique=True))
    return found, np.array(used, dtype=np.int64)


def consumed_of(ids: np.ndarray) -> Consumed:
    consumed = Consumed()
    consumed.add(ids)
    return consumed


def remaining(found: list[Piece], consumed: Consumed) -> set[int]:
    left: set[int] = set()
    for piece in found:
        ids = row_ids(piece, 0, piece.rows or 0)
        left |= set(ids[consumed.remaining(piece, 0, piece.rows or 0)].tolist())
    return left


@given(dataset_and_use())
def test_what_is_used_does_not_remain_and_everything_else_does(drawn: tuple[list[Piece], np.ndarray]) -> None:
    found, used = drawn
    consumed = consumed_of(used)
    assert remaining(found, consumed) == set(ids_of(found).tolist()) - set(used.tolist())
    assert consumed.rows() == len(used)


@given(dataset_and_use())
def test_the_account_survives_being_written(drawn: tuple[list[Piece], np.ndarray]) -> None:
    found, used = drawn
    again = Consumed.from_bytes(consumed_of(used).to_bytes())
    assert remaining(found, again) == remaining(found, consumed_of(used))
    assert again.rows() == len(used)


@given(dataset_and_use(), st.data())
def test_accounts_of_ranks_merge_in_any_order(drawn: tuple[list[Piece], np.ndarray], data: st.DataObject) -> None:
    found, used = drawn
    ranks = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(used), max_size=len(used))))
    parts = [consumed_of(used[ranks == rank]) if len(used) else Consumed() for rank in range(3)]
    merged = Consumed()
    for place in data.draw(st.permutations(range(3))):
        merged.merge(parts[place])
        merged.merge(parts[place])
    assert remaining(found, merged) == remaining(found, consumed_of(used))
    assert merged.rows() == len(used)


@given(dataset_and_use(), st.integers(0, 50), st.integers(0, 50))
def test_any_window_of_a_piece_can_be_asked_for(drawn: tuple[list[Piece], np.ndarray], first: int, count: int) -> None:
    found, used = drawn
    consumed = consumed_of(used)
    for piece in found:
        wanted = consumed.remaining(piece, first, count)
        expected = [row not in set(used.tolist()) for row in row_ids(piece, first, count).tolist()]
        assert wanted.dtype == bool and wanted.tolist() == expected


@given(dataset_and_use())
def test_a_piece_is_complete_when_all_its_rows_are_used(drawn: tuple[list[Piece], np.ndarray]) -> None:
    found, used = drawn
    consumed = consumed_of(used)
    for piece in found:
        is_all = set(row_ids(piece, 0, piece.rows or 0).tolist()) <= set(used.tolist())
        assert consumed.is_complete(piece) == is_all
        assert not consumed.is_complete(Piece(piece.index, piece.paths, 1, rows=None))


@given(st.lists(st.tuples(st.integers(0, 2**22), st.integers(0, 2**39)), min_size=2, max_size=20, unique=True))
def test_every_row_of_a_dataset_has_an_id_of_its_own(places: list[tuple[int, int]]) -> None:
    ids = [int(row_ids(Piece(piece, ("x",), 1), row, 1)[0]) for piece, row in places]
    assert len(set(ids)) == len(places)
    assert min(ids) >= 0


def test_the_account_of_many_rows_is_small() -> None:
    """Half of 20,000 row groups are used, and six are being read: what a checkpoint waits for."""
    generator = np.random.default_rng(0)
    consumed = Consumed()
    for piece in generator.permutation(20_000)[:10_000].tolist():
        consumed.add(row_ids(Piece(piece, ("x",), 1), 0, 1000))
    for piece in range(20_000, 20_006):
        consumed.add(row_ids(Piece(piece, ("x",), 1), 0, 1000)[generator.random(1000) < 0.5])
    written = consumed.to_bytes()
    assert len(written) < 13 << 10, "a bitmap for each piece took 200 bytes"
    again = Consumed.from_bytes(written)
    assert again.rows() == consumed.rows()
    assert again.to_bytes() == written


@given(dataset_and_use())
def test_an_account_of_bitmaps_as_it_was_written_before_can_be_read(drawn: tuple[list[Piece], np.ndarray]) -> None:
    found, used = drawn
    bitmaps = {}
    for piece in found:
        mask = np.isin(row_ids(piece, 0, piece.rows or 0), used)
        bitmaps[f"{piece.index}:{len(mask)}"] = np.packbits(mask)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **bitmaps)
    assert remaining(found, Consumed.from_bytes(buffer.getvalue())) == remaining(found, consumed_of(used))


@given(dataset_and_use(), st.data())
def test_an_account_of_some_pieces_is_that_of_the_whole(
    drawn: tuple[list[Piece], np.ndarray], data: st.DataObject
) -> None:
    found, used = drawn
    chosen = data.draw(st.lists(st.sampled_from(found), unique=True))
    part = consumed_of(used).of(chosen)
    assert remaining(chosen, part) == remaining(chosen, consumed_of(used))
    assert part.rows() == len(set(used.tolist()) & {int(i) for piece in chosen for i in row_ids(piece, 0, piece.rows)})


@given(dataset_and_use(), st.data())
def test_rows_can_be_marked_in_any_portions_and_more_than_once(
    drawn: tuple[list[Piece], np.ndarray], data: st.DataObject
) -> None:
    found, used = drawn
    consumed = Consumed()
    for place in data.draw(st.permutations(range(len(used)))):
        consumed.add(used[place : place + 2])
    assert remaining(found, consumed) == remaining(found, consumed_of(used))
    assert consumed.rows() == len(used)


@given(dataset_and_use())
def test_an_account_that_is_sent_with_a_task_is_the_same_there(drawn: tuple[list[Piece], np.ndarray]) -> None:
    found, used = drawn
    sent = pickle.loads(pickle.dumps(consumed_of(used)))  # noqa: S301 - our own
    assert remaining(found, sent) == remaining(found, consumed_of(used))
    assert sent.rows() == len(used)


def test_what_is_sent_with_a_task_is_a_bit_a_row() -> None:
    consumed = Consumed()
    consumed.add(row_ids(Piece(7, ("x",), 1), 1, 80_000)[::2])
    assert len(pickle.dumps(consumed.of([Piece(7, ("x",), 1)]))) < 10_500
