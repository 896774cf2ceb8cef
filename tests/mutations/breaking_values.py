"""Mistakes in the values of the data, and in which rows there are."""

from __future__ import annotations

import math
import random
from typing import Any

from mutation import CLASS_NUMBERS, CLASS_ROWS, PARQUET_NUMBERS, TARGETS, Copy, Mutation, where


def _shuffle_targets(copy: Copy) -> None:
    with copy.rows("train") as found:
        random.Random(0).shuffle(found.columns[copy.target])


def _constant(copy: Copy) -> None:
    dataset = copy.dataset
    named = dataset.get("inputColumns", [dataset.get("inputColumn")])
    with copy.rows("train") as found:
        inputs = [
            name for name in found.columns if name in named or (copy.example.name == "table" and name != "bought")
        ]
        for name in inputs:
            first = found.columns[name][0]
            found.change(name, lambda _, first=first: first)


def _one_class(copy: Copy) -> None:
    with copy.rows("train") as found:
        labels = found.columns[copy.target]
        found.take([place for place, label in enumerate(labels) if label == min(labels)])


def _without_a_class(copy: Copy) -> None:
    with copy.rows("validation") as found:
        labels = found.columns[copy.target]
        found.take([place for place, label in enumerate(labels) if label != max(labels)])


def _new_class(copy: Copy) -> None:
    value: Any = "triangle" if copy.form == "Images" else 7
    with copy.rows("validation") as found:
        found.change(copy.target, lambda _: value, slice(40, 45))


def _same_row(copy: Copy) -> None:
    with copy.rows("train") as found:
        found.take([0] * len(found))


def _sorted(copy: Copy) -> None:
    copy.dataset["shuffle"] = False
    with copy.rows("train") as found:
        labels = found.columns[copy.target]
        found.take(sorted(range(len(found)), key=labels.__getitem__))


def _few(copy: Copy, part: str, count: int) -> None:
    with copy.rows(part) as found:
        found.take(range(count))


def _count_from_one(copy: Copy) -> None:
    copy.numbers(copy.target, lambda value: value if value == -100 else value + 1)


MUTATIONS = [
    Mutation(
        "inputs a thousand times too large",
        lambda copy: copy.numbers(copy.facts.inputs, lambda value: 1000 * value),
        "{input}|loss",
        where(numbers=True),
    ),
    Mutation("class numbers that begin with 1", _count_from_one, "{target}|class|loss", CLASS_NUMBERS),
    Mutation(
        "unlabelled rows with the class -1",
        lambda copy: copy.one_row(copy.target, -1),
        "{target}|class|loss",
        CLASS_NUMBERS,
    ),
    Mutation(
        "targets shuffled",
        _shuffle_targets,
        "loss",
        TARGETS,
        unknowable="targets that do not follow from the inputs look like a problem that is too hard for the model",
    ),
    Mutation(
        "one row with NaN",
        lambda copy: copy.one_row(copy.facts.inputs, math.nan),
        "{input}|loss|finite|NaN|null",
        where(numbers=True),
    ),
    Mutation(
        "one infinite target",
        lambda copy: copy.one_row(copy.target, math.inf),
        "{target}|loss|finite",
        where(values=True),
    ),
    Mutation(
        "a null among the inputs",
        lambda copy: copy.one_row(copy.facts.inputs, None, whole=True),
        "{input}",
        PARQUET_NUMBERS,
    ),
    Mutation(
        "a null among the targets",
        lambda copy: copy.one_row(copy.target, None, whole=True),
        "{target}",
        tuple(name for name in TARGETS if name not in ("pictures", "table")),
    ),
    Mutation(
        "the same inputs in every row",
        _constant,
        "{input}|loss|same|constant",
        TARGETS,
    ),
    Mutation("one class only in the training data", _one_class, "{target}|class|loss", (*CLASS_ROWS, "pictures")),
    Mutation(
        "a class missing in the validation data",
        _without_a_class,
        "{target}|class",
        tuple(name for name in (*CLASS_ROWS, "pictures") if name != "imbalanced"),  # whose figure needs both
    ),
    Mutation(
        "a class that only the validation data have", _new_class, "{target}|class|loss", (*CLASS_ROWS, "pictures")
    ),
    Mutation("the same row again and again", _same_row, "row|same|loss", ("houses", "imbalanced", "tokens", "masks")),
    Mutation("rows sorted by class, and not shuffled", _sorted, "shuffle|class|loss|{target}", CLASS_ROWS),
    Mutation("validation data without rows", lambda copy: _few(copy, "validation", 0), "validation"),
    Mutation("training data without rows", lambda copy: _few(copy, "train", 0), "train"),
    Mutation("training data of one row", lambda copy: _few(copy, "train", 1), "row|loss|folder"),
]
