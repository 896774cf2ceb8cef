"""What a mutation is: one mistake that people make, and how it is put into a copy of an example."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rows
from example_runs import Example
from facts import FACTS, Facts
from rows import Rows, deep

EVERY = tuple(FACTS)
PARTS = ("train", "validation")
ROW = 700  # far from the first batch


@dataclass
class Copy:
    """An example's run and data, to be broken. `volume` holds the data."""

    example: Example
    document: dict[str, Any]
    volume: Path

    @property
    def facts(self) -> Facts:
        return FACTS[self.example.name]

    @property
    def recipe(self) -> dict[str, Any]:
        recipe: dict[str, Any] = self.document["spec"]["recipe"]
        return recipe

    @property
    def dataset(self) -> dict[str, Any]:
        dataset: dict[str, Any] = self.recipe["dataset"]
        return dataset

    @property
    def form(self) -> str:
        return str(self.dataset["train"]["format"])

    @contextlib.contextmanager
    def rows(self, part: str) -> Iterator[Rows]:
        """The rows of `train` or `validation`, which are written back."""
        folder = self.example.data_folder(self.volume) / part
        found = rows.read(folder, self.form)
        yield found
        rows.write(folder, self.form, found)

    def every_row(self, change: Callable[[Rows], None], parts: tuple[str, ...] = PARTS) -> None:
        for part in parts:
            with self.rows(part) as found:
                change(found)

    @property
    def target(self) -> str:
        """The column of the files that the loss compares with."""
        assert self.facts.target
        return self.facts.target

    def numbers(self, column: str, convert: Callable[[Any], Any]) -> None:
        """Change each number of a column but not its type."""
        self.every_row(lambda found: found.change(column, deep(convert)))

    def one_row(self, column: str, value: Any, *, whole: bool = False) -> None:
        """Change every number of one row in the middle of the training data, or (whole) the row's value."""
        with self.rows("train") as found:
            place = min(ROW, len(found) - 50)
            found.change(column, (lambda _: value) if whole else deep(lambda _: value), slice(place, place + 1))

    def around(self, field: str, function: str) -> None:
        """Put a broken hook around the one that the run names."""
        named = self.recipe[field]
        parameters = {"function": named["function"], "parameters": named.get("parameters", {})}
        self.recipe[field] = {"function": function, "parameters": parameters}


@dataclass(frozen=True)
class Mutation:
    """One mistake. `named` is a regular expression for what a sentence about it has to name.

    `{input}` and `{target}` in it stand for the example's columns. `unknowable` says why nobody can know it from the
    run, where that is so.
    """

    what: str
    apply: Callable[[Copy], None]
    named: str
    examples: tuple[str, ...] = EVERY
    unknowable: str | None = None


def where(**wanted: bool) -> tuple[str, ...]:
    """Examples that have (or have not) these facts."""
    return tuple(
        name for name, facts in FACTS.items() if all(bool(getattr(facts, key)) is has for key, has in wanted.items())
    )


CLASS_ROWS = ("imbalanced", "table", "tokens", "two_inputs")  # one class number for each row
CLASS_NUMBERS = (*CLASS_ROWS, "tagging")
PARQUET_NUMBERS = tuple(name for name in where(numbers=True) if name != "table")
TARGETS = (*where(classes=True), *where(values=True))
