"""Shows what becomes of each column on its way to the loss, and what the program has decided by itself.

Pure: from types and shapes in words to lines of text. Who finds them out is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_TITLES = ("column", "in the file", "transform gets", "model gets", "loss gets")
_NONE = "-"
_SHOWN = 20  # columns in a sentence


@dataclass(frozen=True)
class Explanation:
    """A column's type and shape at each stage, in words, by its name; what the model returns is called outputs.

    `decisions` are sentences, `doubts` too.
    """

    stored: Mapping[str, str] = field(default_factory=dict)
    transform_gets: Mapping[str, str] = field(default_factory=dict)
    model_gets: Mapping[str, str] = field(default_factory=dict)
    loss_gets: Mapping[str, str] = field(default_factory=dict)
    decisions: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """The table, a row for each column, then the decisions and the doubts."""
        stages = (self.stored, self.transform_gets, self.model_gets, self.loss_gets)
        names = list(dict.fromkeys(name for stage in stages for name in stage))
        cells = [_TITLES, *((name, *(stage.get(name, _NONE) for stage in stages)) for name in names)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(_TITLES))]
        table = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
        ]
        return [*table, *_listed("decided:", self.decisions), *_listed("doubtful:", self.doubts)]


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


def _listed(title: str, sentences: tuple[str, ...]) -> list[str]:
    return ["", title, *(f"- {sentence}" for sentence in sentences)] if sentences else []
