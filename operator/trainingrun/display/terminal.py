"""Records on a terminal: a live line for how far training is, and permanent lines for what is done."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trainingrun.contract.records import AttemptEnded, EpochEnded, Notice, Progress, Record, WorkersRestarted
from trainingrun.display.sentences import progress_parts, sentence_of
from trainingrun.display.summary import Memory, summary_lines
from trainingrun.history.figures import finite

_NARROWEST_BAR, _WIDEST_BAR = 8, 40


class RichDisplay:
    """Live progress on a terminal. Everything that a record holds is shown as text, never read as markup."""

    def __init__(self, stream: TextIO, report: Path | None = None):
        self._console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
        self._memory = Memory()
        self._report = report
        self._view = _LiveView()
        self._live = Live(self._view, console=self._console, refresh_per_second=4, transient=True)
        self._closed = False

    def emit(self, record: Record) -> None:
        """Show the record: steps and notices in the live lines, everything else above them for good."""
        if self._closed:
            return
        try:
            self._show(record)
        except OSError:  # The terminal was closed.
            self._closed = True

    def _show(self, record: Record) -> None:
        if not self._live.is_started:
            self._live.start()
        is_news = self._memory.keep(record)
        self._view.take(record)
        style = _style_of(record)
        if is_news and style is not None:
            self._console.print(Text(sentence_of(record), style=style), soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back and show the summary."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):  # The terminal was closed.
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        if self._live.is_started:
            self._live.stop()
        lines = summary_lines(self._memory.records, self._report)
        for line in ["", *lines] if lines else []:
            self._console.print(Text(line), soft_wrap=True)


def _style_of(record: Record) -> str | None:
    """How a permanent line looks; None for a record that only changes the live lines."""
    if isinstance(record, Progress):
        return None
    if isinstance(record, Notice):
        return "yellow" if record.level.lower() in ("warning", "error") else None
    if isinstance(record, WorkersRestarted):
        return "yellow"
    if isinstance(record, AttemptEnded):
        return "bold green" if record.outcome == "Complete" else "bold red"
    return "" if isinstance(record, EpochEnded) else "dim"


class _LiveView:
    """The live lines, laid out for the terminal's width each time they are drawn."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._waiting = "starting"
        self._notice = ""

    def take(self, record: Record) -> None:
        """Let the live lines follow the record."""
        if isinstance(record, Progress):
            self._progress = record
        elif isinstance(record, WorkersRestarted):
            self._progress, self._waiting = None, "waiting for the workers to come back"
        elif isinstance(record, Notice):
            self._notice = sentence_of(record) if _style_of(record) is None else ""
        elif isinstance(record, AttemptEnded):
            self._progress, self._waiting = None, "attempt ended"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._progress is None:
            yield Spinner("dots", Text(self._waiting))
        else:
            yield self._line(self._progress, options.max_width)
        if self._notice:
            yield Text(self._notice, style="dim", no_wrap=True, overflow="ellipsis")

    def _line(self, progress: Progress, width: int) -> Table:
        epoch, *parts = progress_parts(progress)
        # The least important parts go first when the terminal is narrow.
        while len(parts) > 1 and len(epoch) + _NARROWEST_BAR + len("  ".join(parts)) + 4 > width:
            parts.pop()
        room = width - len(epoch) - len("  ".join(parts)) - 4
        line = Table.grid(padding=(0, 2, 0, 0))
        bar = ProgressBar(
            total=100,
            completed=min(max(finite(progress.percent) or 0.0, 0.0), 100.0),
            width=max(min(room, _WIDEST_BAR), 1),
            complete_style="cyan",
            finished_style="green",
        )
        line.add_row(Text(epoch, style="bold", no_wrap=True), bar, Text("  ".join(parts), no_wrap=True))
        return line
