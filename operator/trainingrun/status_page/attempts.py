"""The attempts of a run as a table, and the last message of the one that failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trainingrun.history.figures import duration, plural
from trainingrun.status_page.view import AttemptView, RunView

_OUTCOME_STYLES = {"Complete": "green", "Failed": "red", "Running": "cyan"}
# Below this many columns, names of nodes and messages would be broken into slivers beside each other.
_WIDE = 110


@dataclass(frozen=True)
class AttemptsTable:
    """One row for each attempt that status remembers, the newest last; on a narrow terminal a short paragraph each."""

    view: RunView
    now: datetime

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """What Rich calls, with the width that there is."""
        attempts = sorted(self.view.attempts, key=lambda attempt: attempt.index)
        if options.max_width >= _WIDE:
            yield self._table(attempts)
            return
        for attempt in attempts:
            yield self._title(attempt)
            detail = "; ".join(filter(None, (attempt.node and f"node {attempt.node}", _remark(attempt))))
            if detail:
                yield Padding(Text(detail), (0, 0, 0, 2))

    def _table(self, attempts: list[AttemptView]) -> Table:
        table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="dim")
        for column in ("attempt", "outcome", "exit", "node", "took"):
            table.add_column(column, overflow="fold")
        table.add_column("message", overflow="fold", ratio=1)
        for attempt in attempts:
            table.add_row(
                str(attempt.index),
                _outcome(attempt),
                "-" if attempt.exit_code is None else str(attempt.exit_code),
                Text(attempt.node or "-"),
                self._took(attempt) or "-",
                Text(_remark(attempt)),
            )
        return table

    def _title(self, attempt: AttemptView) -> Text:
        title = Text.assemble((f"attempt {attempt.index}  ", "dim"), _outcome(attempt))
        for part in ("" if attempt.exit_code is None else f"exit code {attempt.exit_code}", self._took(attempt)):
            title.append(f", {part}" if part else "")
        return title

    def _took(self, attempt: AttemptView) -> str:
        if attempt.started is None:
            return ""
        return duration(max(0.0, ((attempt.ended or self.now) - attempt.started).total_seconds()))


def last_words(view: RunView) -> str:
    """The message of a failed newest attempt where it has more than the one line that the table shows."""
    attempt = view.attempt
    return attempt.message if attempt and attempt.outcome == "Failed" and "\n" in attempt.message else ""


def _outcome(attempt: AttemptView) -> Text:
    words = f"{attempt.outcome}: {attempt.failure_class}" if attempt.failure_class else attempt.outcome
    return Text(words, style=_OUTCOME_STYLES.get(attempt.outcome, ""))


def _remark(attempt: AttemptView) -> str:
    first = attempt.message.partition("\n")[0]
    restarts = f"{plural(attempt.head_restarts, 'head restart')}" if attempt.head_restarts else ""
    preempted = f"{plural(attempt.preemptions, 'preemption')}" if attempt.preemptions else ""
    resumed = f"from {attempt.resumed_from}" if attempt.resumed_from else ""
    return "; ".join(filter(None, (first, restarts, preempted, resumed)))
