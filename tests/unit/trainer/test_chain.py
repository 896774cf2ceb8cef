"""Steps follow each other, and whatever they drop or add, each row that was read counts exactly once."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from author_modules import author
from block_samples import block, chain_of
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.consumed import NO_ROW, ROW_ID, Consumed, Piece
from trainingrun_trainer.data.nulls import with_nulls
from trainingrun_trainer.data.parents import settled
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.table_notes import vanished_of, without_notes
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import DataError, UserCodeError


def step(place: int, name: str, kind: str, **settings: object) -> Step:
    return Step(author(name), kind, path=f"spec.recipe.transforms[{place}]", **settings)  # type: ignore[arg-type]


def labels(rows: int = 6) -> pa.Table:
    return block(rows).select(["label", ROW_ID])


def ids(table: pa.Table) -> list[int]:
    return table.column(ROW_ID).to_pylist()


def places(table: pa.Table) -> list[int]:
    """The rows of block 3 by their places in it, and -1."""
    return [one if one == NO_ROW else one - (3 << 40) for one in ids(table)]


def test_steps_follow_each_other() -> None:
    chain = Chain(
        (
            step(0, "add", "Batch", parameters={"amount": 1}),
            step(1, "keep_even_rows", "Row"),
            step(2, "add", "Batch", parameters={"amount": 10}, batch_format="Torch"),
        )
    )
    made = chain(labels())
    assert made.column("label").to_pylist() == [12, 14, 16]
    assert places(made) == [1, 3, 5]
    assert [one - (3 << 40) for one in vanished_of(made)] == [0, 2, 4]
    assert list(chain.seconds_by_step) == ["transforms[0]", "transforms[1]", "transforms[2]"]
    assert all(seconds > 0 for seconds in chain.seconds_by_step.values())
    assert [(tried.rows_in, tried.rows_out) for tried in chain.tried.values()] == [(6, 6), (6, 3), (3, 3)]


def test_a_step_gets_as_many_rows_as_it_asks_for_however_few_the_one_before_makes() -> None:
    chain = Chain((step(0, "keep_even_rows", "Row", batch_size=3), step(1, "sizes_of_calls", "Batch", batch_size=4)))
    made = list(chain.blocks(labels(20)))
    assert [table.num_rows for table in made] == [4, 4, 2]
    assert [table.column("call").unique().to_pylist() for table in made] == [[4], [4], [2]]
    assert pa.concat_tables(made).column("label").to_pylist() == list(range(0, 20, 2))


@pytest.mark.parametrize(
    ("name", "kind", "batch_format"),
    [
        ("keep_even", "Batch", "NumPy"),
        ("keep_even", "Batch", "Torch"),
        ("keep_even_in_arrow", "Batch", "Arrow"),
        ("keep_even_rows", "Row", "NumPy"),
    ],
)
def test_what_is_left_out_is_told(name: str, kind: str, batch_format: str) -> None:
    made = chain_of(name, kind, batch_format)(labels())
    assert made.column("label").to_pylist() == [0, 2, 4] and places(made) == [0, 2, 4]
    assert made.column_names == ["label", ROW_ID]
    assert [one - (3 << 40) for one in vanished_of(made)] == [1, 3, 5]
    assert len(vanished_of(without_notes(made))) == 0
    assert without_notes(made).schema.metadata is None


@pytest.mark.parametrize(("name", "kind"), [("keep_none", "Batch"), ("returns_an_empty_list", "Row")])
def test_a_unit_of_which_nothing_is_left_is_told_whole(name: str, kind: str) -> None:
    made = chain_of(name, kind)(labels())
    assert made.num_rows == 0
    assert vanished_of(made).tolist() == ids(labels())


def test_of_several_rows_made_of_one_the_last_counts() -> None:
    made = chain_of("as_often_as_labelled", "Row")(labels(4))
    assert list(zip(*made.select(["label", "copy"]).to_pydict().values(), strict=True)) == [
        (1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2),
    ]  # fmt: skip
    assert places(made) == [1, NO_ROW, 2, NO_ROW, NO_ROW, 3]
    assert vanished_of(made).tolist() == [3 << 40]


def test_rows_in_another_order_keep_what_they_were_made_of() -> None:
    made = chain_of("chunks", "Batch", batch_size=3)(labels(5))
    assert made.column("label").to_pylist() == [2, 2, 1, 4, 4, 4, 4, 3, 3, 3]
    assert places(made) == [NO_ROW, 2, 1, NO_ROW, NO_ROW, NO_ROW, 4, NO_ROW, NO_ROW, 3]


def test_the_last_row_counts_also_where_a_later_step_leaves_it_out() -> None:
    chain = Chain((step(0, "as_often_as_labelled", "Row"), step(1, "copies_below", "Batch", parameters={"most": 2})))
    made = chain(labels(4))
    assert places(made) == [1, NO_ROW, 2, NO_ROW, 3]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_whatever_is_made_each_row_counts_once(copies: list[int]) -> None:
    rows = pa.table({"label": pa.array(copies, pa.int64()), ROW_ID: pa.array(range(len(copies)), pa.int64())})
    made = chain_of("chunks", "Batch", batch_size=7)(rows)
    counted = [one for one in ids(made) if one != NO_ROW]
    assert sorted([*counted, *vanished_of(made)]) == list(range(len(copies)))
    consumed = Consumed()
    consumed.add(made.column(ROW_ID).to_numpy())
    consumed.add(vanished_of(made))
    assert consumed.is_complete(Piece(0, ("x",), 1, rows=len(copies)))


def test_streamed_rows_have_the_ids_of_what_they_were_made_of() -> None:
    (made,) = chain_of("as_often_as_labelled", "Row").blocks(labels(3))
    assert places(made) == [1, 2, 2]


def test_rows_that_stay_as_they_are_are_not_touched() -> None:
    given, made = labels(), labels()
    assert settled(given, made).equals(made) and settled(given, made).schema.metadata is None


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ([0.0, 1.0, 2.0], "float64 of shape (3,)"),
        ([0, 1, 6], "3 numbers from 0 to 6"),
        ([-1, 1, 2], "3 numbers from -1 to 2"),
    ],
)
def test_parents_that_are_none_are_refused(parents: list[float], found: str) -> None:
    with pytest.raises(DataError) as caught:
        chain_of("wrong_parents", "Batch", parameters={"parents": parents})(labels())
    assert f'returned "__parent__" as {found}, expected for each of its 3 rows the place' in str(caught.value)


def test_rows_of_unknown_origin_are_refused_with_the_way_out() -> None:
    with pytest.raises(DataError) as caught:
        chain_of("keep_even_and_say_nothing", "Batch")(labels())
    said = str(caught.value)
    assert said.startswith("spec.recipe.transform (author_functions:keep_even_and_say_nothing): the Batch transform ")
    assert "returned 3 rows for 6" in said and "np.flatnonzero(kept)" in said and "kind Row" in said


def test_the_step_that_fails_is_named() -> None:
    good = step(0, "add", "Batch", parameters={"amount": 1})
    with pytest.raises(UserCodeError) as caught:
        Chain((good, step(1, "fails_on_row_three", "Row")))(labels())
    assert caught.value.text.startswith("spec.recipe.transforms[1] (author_functions:fails_on_row_three):\nTraceback")
    with pytest.raises(DataError, match=r"^spec\.recipe\.transforms\[0\] \(author_functions:one_value\): the transf"):
        Chain((step(0, "one_value", "Batch"), good))(labels())
    with pytest.raises(DataError, match=r"^spec\.recipe\.transforms\[0\] .* columns of different types"):
        Chain((step(0, "type_of_its_own", "Row", batch_size=1), step(1, "add", "Batch", parameters={"amount": 1})))(
            labels()
        )


def test_an_outage_in_a_step_stays_one() -> None:
    with pytest.raises(DataError, match="no database any more") as caught:
        chain_of("looks_nothing_up", "Batch")(labels())
    assert isinstance(pickle.loads(pickle.dumps(caught.value)).__cause__, ConnectionError)  # noqa: S301


def test_copies_of_a_row_have_seeds_of_their_own_that_no_cut_changes() -> None:
    def drawn(size: int, order: list[int]) -> dict[tuple[int, int], int]:
        copies = step(0, "as_often_as_labelled", "Row", batch_size=size)
        made = Chain((copies, step(1, "draws_of_copies", "Row", batch_size=size)))(labels().take(order))
        rows = made.to_pylist()
        return {(row["label"], row["copy"]): row["drawn"] for row in rows}

    first = drawn(2, [0, 1, 2, 3, 4, 5])
    assert len(first) == len(set(first.values())) == 15
    assert drawn(5, [3, 5, 0, 1, 2, 4]) == first


def test_arrays_of_one_shape_are_one_array_for_the_next_step_and_others_one_for_each_row() -> None:
    chain = Chain(
        (
            step(0, "squares", "Row"),
            step(1, "add_by_row", "Row"),
            step(2, "says_what_it_gets", "Batch", batch_size=1),
        )
    )
    made = chain(labels(3))
    assert made.column("got").to_pylist() == ["uint8 (1, 2, 2)/object (1,)"] * 3
    grown = Chain((step(0, "growing", "Row"), step(1, "says_what_it_gets", "Batch")))(labels(3))
    assert grown.column("got").to_pylist() == ["object (3,)/object (3,)"] * 3
    # Of different calls, whose arrays have different shapes, one column can be made.
    doubled = Chain((step(0, "growing", "Row"), step(1, "doubled_array", "Batch", batch_size=1)))(labels(3))
    assert [np.shape(one) for one in doubled.column("array").to_pylist()] == [(1, 2), (2, 2), (3, 2)]


def test_a_column_with_nulls_is_of_one_type_in_every_step() -> None:
    marked = with_nulls(pa.schema([pa.field("label", pa.int64())]), ["label"])
    table = pa.table([pa.array([1, None, 3])], schema=marked)
    chain = Chain((step(0, "add_name", "Batch"), step(1, "says_type_of_label", "Batch", batch_size=1)))
    assert chain(table).column("got").to_pylist() == ["float64"] * 3


def test_no_rows_are_no_calls() -> None:
    chain = chain_of("fails_on_row_three", "Row")
    assert chain(labels(0)).num_rows == 0
    assert chain.tried["transform"].calls == 0 and not np.any(list(chain.seconds_by_step.values()))
