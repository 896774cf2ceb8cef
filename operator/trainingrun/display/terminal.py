"""Records on a terminal: a live line for how far training is, and permanent lines for what is done."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    EpochEnded,
    Notice,
    Progress,
    Record,
    WorkersRestarted,
)
from trainingrun.display.epochs import EpochTable
from trainingrun.display.sentences import progress_parts, sentence_of
from trainingrun.display.summary import LABEL_WIDTH, Memory, summary_facts
from trainingrun.history.figures import duration, finite

_NARROWEST_BAR, _WIDEST_BAR = 8, 40


class RichDisplay:
    """Live progress on a terminal. Everything that a record holds is shown as text, never read as markup."""

    def __init__(self, stream: TextIO, report: Path | None = None):
        self._console = Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False)
        self._memory = Memory()
        self._report = report
        self._epochs = EpochTable()
        self._saved: CheckpointSaved | None = None
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
        if isinstance(record, EpochEnded):
            self._show_epoch(record)
            return
        if isinstance(record, CheckpointSaved):
            self._saved = record
            return
        style = _style_of(record)
        if is_news and style is not None:
            self._epochs.interrupted()
            self._console.print(Text(sentence_of(record), style=style, overflow="fold"))

    def _show_epoch(self, record: EpochEnded) -> None:
        saved = self._saved if self._saved is not None and self._saved.step == record.step else None
        word = "" if saved is None else "best" if saved.best else "saved"
        heading, row = self._epochs.lines(record, word, self._console.width)
        if heading is not None:
            self._console.print(Text(heading, style="dim", no_wrap=True))
        self._console.print(Text(row, style="bold green" if word == "best" else "", no_wrap=True))

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
        facts = summary_facts(self._memory.records, self._report)
        if facts:
            self._console.print()
            table = Table.grid(padding=(0, 1, 0, 0))
            table.add_column(width=LABEL_WIDTH - 1, style="dim", no_wrap=True)
            table.add_column(overflow="fold")
            for label, fact in facts:
                table.add_row(label, Text(fact, style=_outcome_style(fact) if label == "outcome" else ""))
            self._console.print(table)


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
    return "dim"


def _outcome_style(fact: str) -> str:
    return "bold green" if fact.startswith("Complete") else "bold red"


class _LiveView:
    """The live lines, laid out for the terminal's width each time they are drawn."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._waiting = "starting"
        self._since = time.monotonic()
        self._notice = ""
        self._spinner = Spinner("dots")

    def take(self, record: Record) -> None:
        """Let the live lines follow the record."""
        if isinstance(record, Progress):
            self._progress = record
        elif isinstance(record, AttemptStarted):
            self._wait("waiting for the first batch")
        elif isinstance(record, WorkersRestarted):
            self._wait("waiting for the workers to come back")
        elif isinstance(record, Notice):
            self._notice = sentence_of(record) if _style_of(record) is None else ""
        elif isinstance(record, CheckpointSaved):
            self._notice = sentence_of(record)
        elif isinstance(record, AttemptEnded):
            self._wait("attempt ended")

    def _wait(self, what: str) -> None:
        self._progress, self._waiting, self._since = None, what, time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._progress is None:
            seconds = duration(max(0.0, time.monotonic() - self._since))
            self._spinner.update(text=Text(f"{self._waiting}  {seconds}", no_wrap=True))
            yield self._spinner
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
