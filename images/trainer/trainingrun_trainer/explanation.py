"""Shows what becomes of each column on its way to the loss, and what the program has decided by itself.

Pure: from types and shapes in words to lines of text. Who finds them out is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_TITLES = ("column", "in the file", "model gets", "loss gets")
_STEP_TITLES = ("column", "gets", "returns")
_NONE = "-"
# A table has four columns at most, and a line should fit into 100 characters.
_WIDEST_CELL = 28
_SHOWN = 20  # columns in a sentence


@dataclass(frozen=True)
class StepShown:
    """What a step of preprocessing did with the first rows: `title` says which it is, `place` how and where it runs.

    `gets` and `returns` are types and shapes of a row's columns in words. Seconds and bytes are of all rows.
    """

    title: str
    place: str
    gets: Mapping[str, str]
    returns: Mapping[str, str]
    rows_in: int
    rows_out: int
    seconds: float
    bytes_in: int
    bytes_out: int

    def lines(self) -> list[str]:
        """What it is, what a row costs, and a table with a row for each column."""
        cost = [
            f"{self.rows_in:,} rows in, {self.rows_out:,} out",
            f"{1000 * self.seconds / max(1, self.rows_in):.3g} ms a row",
            f"{self.bytes_in // max(1, self.rows_in):,} bytes a row in",
            f"{self.bytes_out // max(1, self.rows_out):,} bytes a row out",
        ]
        table = _table(_STEP_TITLES, (self.gets, self.returns))
        return [f"{self.title}: {self.place}", *(f"  {line}" for line in ("; ".join(cost), *table))]


@dataclass(frozen=True)
class Explanation:
    """A column's type and shape at each stage, in words, by its name; what the model returns is called outputs.

    `steps` are those of preprocessing, in their order. `decisions` are sentences, `doubts` too.
    """

    stored: Mapping[str, str] = field(default_factory=dict)
    model_gets: Mapping[str, str] = field(default_factory=dict)
    loss_gets: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepShown, ...] = ()
    decisions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The table, a row for each column, then the steps, the decisions and the doubts."""
        table = _table(_TITLES, (self.stored, self.model_gets, self.loss_gets))
        steps = [line for step in self.steps for line in ("", *step.lines())]
        return [*table, *steps, *_listed("decided:", self.decisions), *_listed("doubtful:", self.doubts)]


def sentence(model_gets: Mapping[str, str], loss_gets: Mapping[str, str], metrics: tuple[str, ...]) -> str:
    """The end of the way in one sentence, for the run's record."""
    parts = [f"the model gets {_joined(model_gets)}"]
    if loss_gets:
        parts.append(f"the loss gets {_joined(loss_gets)}")
    return f"of the first batch {', '.join(parts)}; measured: {', '.join(metrics)}"


def data_sentence(stored: Mapping[str, str]) -> str:
    """The beginning of the way in one sentence, for the run's record."""
    return f"the data holds {_joined(stored)}"


def _joined(columns: Mapping[str, str]) -> str:
    shown = [f"{name}: {words}" for name, words in list(columns.items())[:_SHOWN]]
    more = [f"and {len(columns) - _SHOWN} more"] if len(columns) > _SHOWN else []
    return ", ".join([*shown, *more]) or "nothing"


def _table(titles: tuple[str, ...], stages: tuple[Mapping[str, str], ...]) -> list[str]:
    names = list(dict.fromkeys(name for stage in stages for name in stage))
    cells = [titles, *((name, *(stage.get(name, _NONE) for stage in stages)) for name in names)]
    shown = [[cell if len(cell) <= _WIDEST_CELL else f"{cell[: _WIDEST_CELL - 1]}…" for cell in row] for row in cells]
    widths = [max(len(row[place]) for row in shown) for place in range(len(titles))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def _listed(title: str, sentences: tuple[str, ...]) -> list[str]:
    return ["", title, *(f"- {sentence}" for sentence in sentences)] if sentences else []
