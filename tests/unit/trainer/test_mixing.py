"""Which rows are mixed with which: every row once, evenly dealt, and as well mixed as if all were shuffled together."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.consumed import Consumed, Piece, row_ids
from trainingrun_trainer.data.mixing import Mixing, bundles_of, gather, groups_of, mixing_of, share_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import Bundle
from trainingrun_trainer.data.table_notes import with_left

SHUFFLED, STORED = Epoch(3, 7, shuffle=True), Epoch(0, 0, shuffle=False)
MIB = 1 << 20


def pieces(sizes: list[int], rows: int = 10) -> list[Piece]:
    return [Piece(i, (f"{i}",), size, rows=rows) for i, size in enumerate(sizes)]


def groups(count: int, epoch: Epoch = SHUFFLED, most: int = 32, consumed: Consumed | None = None) -> list[list[int]]:
    bundles = bundles_of(pieces([5 * MIB] * count))
    found = groups_of(bundles, epoch, consumed or Consumed(), Mixing(most, 1))
    return [[bundle.index for bundle in group] for group in found]


@given(st.lists(st.integers(0, 6 * MIB), max_size=40))
def test_bundles_are_tiny_neighbours_or_one_piece(sizes: list[int]) -> None:
    found = pieces(sizes)
    bundles = bundles_of(found)
    assert [piece for bundle in bundles for piece in bundle.pieces] == found
    assert all(len(bundle.pieces) == 1 or bundle.size_bytes <= 4 * MIB for bundle in bundles)
    assert all(a.size_bytes + b.pieces[0].size_bytes > 4 * MIB for a, b in itertools.pairwise(bundles))
    assert [bundle.index for bundle in bundles] == [bundle.pieces[0].index for bundle in bundles]


@given(st.integers(1, 200), st.integers(1, 40))
def test_groups_have_every_bundle_once_and_are_alike(count: int, most: int) -> None:
    found = groups(count, most=most)
    assert sorted(itertools.chain(*found)) == list(range(count))
    sizes = [len(group) for group in found]
    assert max(sizes) <= most and max(sizes) - min(sizes) <= 1
    assert len(found) == -(-count // most)


def test_groups_differ_from_epoch_to_epoch_and_come_in_stored_order_without_shuffling() -> None:
    assert groups(100) == groups(100)
    assert groups(100) != groups(100, Epoch(4, 7, shuffle=True)) != groups(100, Epoch(4, 8, shuffle=True))
    assert groups(5, STORED, most=1) == [[0], [1], [2], [3], [4]]


def test_a_resumed_epoch_has_the_same_groups_but_for_those_that_are_used_up() -> None:
    consumed = Consumed()
    whole = groups(100)
    used = {*whole[0], *whole[1][:3]}
    for index in used:
        consumed.add(row_ids(Piece(index, ("",), 1), 0, 10))
    consumed.add(row_ids(Piece(whole[2][0], ("",), 1), 0, 9))
    assert groups(100, consumed=consumed) == [[], *whole[1:]]


@pytest.mark.parametrize(
    ("count", "rows", "together", "expected"),
    [
        (100, 6000, 0, Mixing(32, -(-64 * MIB // 25))),
        (1, 6000, 0, Mixing(1, 64 * MIB)),
        (3, 6000, 0, Mixing(3, -(-64 * MIB // 3))),
        (100, 6000, 200_000, Mixing(34, -(-200_000 * 1000 // 34))),
        (100, 6000, 10_000_000, Mixing(100, 100_000_000)),
    ],
)
def test_a_window_has_64_mib_or_the_rows_that_are_asked_for(
    count: int, rows: int, together: int, expected: Mixing
) -> None:
    bundles = bundles_of(pieces([5 * MIB] * count, rows))
    assert mixing_of(bundles, shuffle=True, row_bytes=1000, rows_together=together) == expected


def test_without_shuffling_bundles_are_read_one_after_the_other() -> None:
    assert mixing_of(bundles_of(pieces([5 * MIB] * 9)), shuffle=False, row_bytes=9, rows_together=10**6).bundles == 1


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 1000), st.integers(1, 20))
def test_shares_have_every_place_once_and_differ_by_one(group: int, slab: int, rows: int, world_size: int) -> None:
    shares = [share_of((group, slab), rows, rank, world_size) for rank in range(world_size)]
    assert sorted(itertools.chain(*shares)) == list(range(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_no_rank_always_gets_the_rows_that_are_left_over() -> None:
    totals = [sum(len(share_of((0, slab), 10, rank, 4)) for slab in range(100)) for rank in range(4)]
    assert totals == [250] * 4


def slab(first: int, rows: int) -> pa.Table:
    """Rows of several types, in chunks of 7, that say their number."""
    numbers = np.arange(first, first + rows)
    parts = [
        pa.table(
            {
                "number": part,
                "bytes": pa.array([b"%08d" % n for n in part], pa.binary(8)),
                "text": [f"{n}" * (n % 3) for n in part],
                "list": pa.array([[n] * (n % 4) for n in part], pa.list_(pa.int64())),
            }
        )
        for part in np.split(numbers, range(7, rows, 7))
    ]
    return pa.concat_tables(parts)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any), st.data(), st.booleans())
def test_units_are_a_permutation_of_the_window_whatever_the_cut(
    lengths: list[int], data: st.DataObject, shuffle: bool
) -> None:
    epoch = Epoch(1, 2, shuffle)
    starts = np.cumsum([0, *lengths])
    slabs = [slab(int(first), rows) for first, rows in zip(starts, lengths, strict=False)]
    total = sum(lengths)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=4)))
    parts = [gather(slabs, (2, 1), epoch, range(a, b)) for a, b in itertools.pairwise([0, *cuts, total])]
    whole = pa.concat_tables(parts)
    order = whole["number"].to_pylist()
    assert sorted(order) == list(range(total))
    assert shuffle or order == list(range(total))
    assert whole == gather(slabs, (2, 1), epoch, range(total))
    assert whole.sort_by("number").combine_chunks() == slab(0, total).combine_chunks()


@given(st.lists(st.integers(0, 20), min_size=1, max_size=6).filter(any), st.data(), st.booleans())
def test_what_is_left_of_a_window_comes_in_the_order_of_the_whole_one(
    lengths: list[int], data: st.DataObject, shuffle: bool
) -> None:
    epoch, total = Epoch(1, 2, shuffle), sum(lengths)
    left = np.array(data.draw(st.lists(st.booleans(), min_size=total, max_size=total)))
    ends = np.cumsum(lengths)
    whole, rest = [], []
    for end, rows in zip(ends.tolist(), lengths, strict=True):
        its = left[end - rows : end]
        whole.append(slab(end - rows, rows))
        rest.append(with_left(whole[-1].filter(pa.array(its)), its))
    if not left.any():
        return
    first, last = sorted(data.draw(st.tuples(st.integers(0, total), st.integers(0, total))))
    expected = gather(whole, (2, 1), epoch, range(first, last))
    expected = expected.filter(pa.array(left[expected["number"].to_numpy()]))
    found = gather(rest, (2, 1), epoch, range(first, last))
    assert found.combine_chunks() == expected.combine_chunks()
    assert found.schema.metadata is None


def test_windows_and_epochs_are_permuted_differently() -> None:
    orders = {
        tuple(gather([slab(0, 50)], (group, number), Epoch(epoch, 0, shuffle=True), range(50))["number"].to_pylist())
        for group in (0, 1)
        for number in (0, 1)
        for epoch in (0, 1)
    }
    assert len(orders) == 8


def order_of(layout: list[tuple[int, int]], row_bytes: int, epoch: Epoch) -> np.ndarray:
    """The stored numbers of all rows in the order of an epoch; `layout` has (first row, rows) of each piece."""
    found = [Piece(i, (f"{i}",), rows * row_bytes, rows=rows) for i, (_, rows) in enumerate(layout)]
    bundles = bundles_of(found)
    mixing = mixing_of(bundles, shuffle=True, row_bytes=row_bytes)
    order: list[np.ndarray] = []
    for number, group in enumerate(groups_of(bundles, epoch, Consumed(), mixing)):
        for place in itertools.count():
            slabs = [part for bundle in group if len(part := slab_rows(bundle, place, mixing, layout, row_bytes))]
            if not slabs:
                break
            table = gather(
                [pa.table({"row": rows}) for rows in slabs], (number, place), epoch, range(sum(map(len, slabs)))
            )
            order.append(table["row"].to_numpy())
    return np.concatenate(order)


def slab_rows(bundle: Bundle, slab: int, mixing: Mixing, layout: list[tuple[int, int]], row_bytes: int) -> np.ndarray:
    from trainingrun_trainer.data.slabs import slab_limit

    rows = np.concatenate([np.arange(layout[p.index][0], sum(layout[p.index])) for p in bundle.pieces])
    counts = [-(-slab_limit(bundle, before, mixing.slab_bytes) // row_bytes) for before in range(slab + 1)]
    return rows[sum(counts[:-1]) : sum(counts)]


def run_length(labels: np.ndarray) -> float:
    """Mean number of equal labels in a row."""
    return len(labels) / (1 + np.count_nonzero(np.diff(labels)))


# A group has a quarter of the files, and so a quarter of a hundred classes.
@pytest.mark.parametrize(("classes", "bar"), [(10, 1.02), (100, 1.05)])
@pytest.mark.parametrize("rows", [60, 600, 6000])
def test_sorted_files_are_mixed_nearly_as_well_as_by_a_full_permutation(rows: int, classes: int, bar: float) -> None:
    layout = [(rows * i, rows) for i in range(100)]
    total = 100 * rows
    order = order_of(layout, 792, Epoch(0, 5, shuffle=True))
    assert np.array_equal(np.sort(order), np.arange(total))
    labels = np.arange(total) * classes // total
    full = np.random.default_rng(1).permutation(labels)
    assert run_length(labels[order]) <= bar * run_length(full)
    assert abs(np.corrcoef(order, np.arange(total))[0, 1]) < 0.05
