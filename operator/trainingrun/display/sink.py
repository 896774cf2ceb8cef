"""The one interface of every display, and the choice between them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, TextIO

from trainingrun.contract.records import Record
from trainingrun.display.lines import JsonDisplay
from trainingrun.display.plain import PlainDisplay
from trainingrun.display.terminal import RichDisplay


class Sink(Protocol):
    """Takes records as they arrive. No method may raise because its reader is gone: training must continue."""

    def emit(self, record: Record) -> None:
        """Show one record."""

    def close(self) -> None:
        """Show the summary, if this display has one, and give the terminal back; again does nothing."""


def display_for(stream: TextIO, json: bool = False, report: Path | None = None) -> Sink:
    """The display for `stream`: JSON lines when asked for, a live view on a terminal, plain lines elsewhere.

    `report` is where the run's report will be; the summary names it.
    """
    if json:
        return JsonDisplay(stream)
    if stream.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return RichDisplay(stream, report=report)
    return PlainDisplay(stream, report=report)
