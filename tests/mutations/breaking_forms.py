"""Mistakes in the form of the data: columns, shapes and types."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from mutation import CLASS_NUMBERS, PARQUET_NUMBERS, PARTS, ROW, TARGETS, Copy, Mutation, where
from rows import Rows, deep, with_leaf

_PICTURES = where(picture=True)
_LISTS = ("contrastive", "forecast", "imbalanced", "multi_label", "tagging", "tokens", "two_inputs")


def _drop(copy: Copy, column: str, parts: tuple[str, ...] = PARTS) -> None:
    copy.every_row(lambda found: found.columns.pop(column) and None, parts)


def _cast(copy: Copy, column: str, convert: Any, leaf: pa.DataType) -> None:
    def change(found: Rows) -> None:
        kind = found.types.get(column)
        found.change(column, deep(convert))
        found.retype(column, with_leaf(kind, leaf) if kind is not None else None)

    copy.every_row(change)


def _rows_of_one(copy: Copy) -> None:
    def change(found: Rows) -> None:
        kind = found.types.get(copy.target)
        found.change(copy.target, lambda value: [value])
        found.retype(copy.target, pa.list_(kind))

    copy.every_row(change)


def _shorter(copy: Copy) -> None:
    with copy.rows("train") as found:
        found.change(copy.facts.inputs, lambda value: value[:-1], slice(ROW, ROW + 1))


def _smaller_picture(copy: Copy) -> None:
    with copy.rows("train") as found:
        place = min(ROW, len(found) - 50)
        found.change(copy.facts.picture or "", lambda value: value[:-2], slice(place, place + 1))


def _transpose(copy: Copy) -> None:
    copy.every_row(lambda found: found.change("window", lambda window: [[step[0] for step in window]]))


MUTATIONS = [
    Mutation(
        "the target column is missing in the data",
        lambda copy: _drop(copy, copy.target),
        "{target}",
        tuple(name for name in TARGETS if name != "pictures"),
    ),
    Mutation(
        "an input column is missing in the validation data",
        lambda copy: _drop(copy, copy.facts.inputs, ("validation",)),
        "{input}",
        (*PARQUET_NUMBERS, "table", "tokens", "tagging", "masks", "boxes"),
    ),
    Mutation(
        "targets in lists of one",
        _rows_of_one,
        "{target}|shape",
        ("houses", "imbalanced", "tokens", "two_inputs"),
    ),
    Mutation("one row with a shorter list", _shorter, "{input}", _LISTS),
    Mutation("one picture of another size", _smaller_picture, "{input}|image|picture", _PICTURES),
    Mutation("inputs transposed", _transpose, "{input}|model", ("forecast",)),
    Mutation(
        "class numbers as floating point",
        lambda copy: _cast(copy, copy.target, float, pa.float64()),
        "{target}|loss",
        (*CLASS_NUMBERS, "masks"),
    ),
    Mutation(
        "class numbers as text",
        lambda copy: _cast(copy, copy.target, lambda value: f"class {value}", pa.string()),
        "{target}",
        CLASS_NUMBERS,
    ),
    Mutation(
        "numbers as text",
        lambda copy: _cast(copy, copy.facts.inputs, lambda value: f"{value} units", pa.string()),
        "{input}",
        (*PARQUET_NUMBERS, "table"),
    ),
    Mutation(
        "inputs as whole numbers",
        lambda copy: _cast(copy, copy.facts.inputs, lambda value: round(10 * value), pa.int64()),
        "{input}|model|loss",
        PARQUET_NUMBERS,
    ),
    Mutation(
        "token ids as floating point",
        lambda copy: _cast(copy, copy.facts.inputs, float, pa.float64()),
        "{input}|model",
        ("tokens", "tagging"),
    ),
    Mutation(
        "a token id beyond the vocabulary",
        lambda copy: copy.one_row(copy.facts.inputs, 1000),
        "{input}|model",
        ("tokens", "tagging"),
    ),
]
