"""Epochs as rows of a table on a terminal: figures stand below each other, and what does not fit is left out whole.

It must not print, and keeps nothing of a run but which columns stand there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainingrun.contract.records import EpochEnded
from trainingrun.display.sentences import metric_order, metric_title
from trainingrun.history.figures import duration, metric, percent, ratio, short

_GAP = 2
_NARROWEST = 6
# How important a column is, the least first to go where a terminal is narrow. The first metrics come before all else.
_FIRST_METRICS = 2
_MOST_METRICS = 6


@dataclass(frozen=True)
class _Column:
    """A column: its heading, how it is found again, and its rank, from 0 for the most important one."""

    key: str
    heading: str
    width: int
    rank: int


class EpochTable:
    """Makes the lines. The heading comes again where other lines have come between, or the columns are others."""

    def __init__(self) -> None:
        self._columns: tuple[_Column, ...] = ()
        self._is_headed = False

    def interrupted(self) -> None:
        """Other lines have been printed."""
        self._is_headed = False

    def lines(self, record: EpochEnded, checkpoint: str, width: int) -> tuple[str | None, str]:
        """The heading, if it is due, and the row. `checkpoint` is a word for what was saved, `width` in characters."""
        cells = _cells(record, checkpoint)
        columns = _fitting(_columns(cells), width)
        known = {column.key for column in self._columns}
        if not self._is_headed or not {column.key for column in columns} <= known:
            self._columns, self._is_headed = columns, True
            return _line((column, column.heading) for column in columns), self._row(cells)
        return None, self._row(cells)

    def _row(self, cells: dict[str, tuple[str, str]]) -> str:
        return _line((column, cells.get(column.key, ("", "-"))[1]) for column in self._columns)


def _cells(record: EpochEnded, checkpoint: str) -> dict[str, tuple[str, str]]:
    """Heading and content by key, in their order from left to right."""
    names = sorted(record.metrics, key=metric_order)[:_MOST_METRICS]
    return {
        "epoch": ("epoch", f"{record.epoch + 1}/{record.epochs}"),
        **{f"metric {name}": (_short_title(name), metric(record.metrics[name])) for name in names},
        "rows": ("rows/s", short(ratio(record.rows, record.seconds) if record.rows is not None else None)),
        "stall": ("stall", percent(record.stall.total_percent if record.stall else None)),
        "time": ("time", duration(record.seconds)),
        "checkpoint": ("checkpoint", checkpoint),
    }


def _short_title(name: str) -> str:
    title = metric_title(name)
    return f"val {title.removeprefix('validation ')}" if title.startswith("validation ") else title


def _columns(cells: dict[str, tuple[str, str]]) -> list[_Column]:
    metrics = [key for key in cells if key.startswith("metric ")]
    ranked = ["epoch", *metrics[:_FIRST_METRICS], "checkpoint", "time", "stall", *metrics[_FIRST_METRICS:], "rows"]
    return [
        _Column(key, heading, max(len(heading), len(content), _NARROWEST), ranked.index(key))
        for key, (heading, content) in cells.items()
    ]


def _fitting(columns: list[_Column], width: int) -> tuple[_Column, ...]:
    kept = list(columns)
    while len(kept) > 1 and sum(column.width + _GAP for column in kept) - _GAP > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    return tuple(kept)


def _line(contents: Iterable[tuple[_Column, str]]) -> str:
    """The cells, cut to their columns: the first and the last are words, the others figures."""
    cells = [
        content[: column.width].ljust(column.width)
        if column.key in ("epoch", "checkpoint")
        else content[: column.width].rjust(column.width)
        for column, content in contents
    ]
    return (" " * _GAP).join(cells).rstrip()
