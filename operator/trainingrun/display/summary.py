"""The block at the end of a run: what came out, what it cost and what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from trainingrun.contract.records import CheckpointSaved, Notice, Placement, Progress, Record
from trainingrun.display.sentences import metric_parts, sentence_of
from trainingrun.history import History, history_of
from trainingrun.history.advice import main_cause, next_step, stall_advice
from trainingrun.history.figures import UNKNOWN, count, duration, one_line, percent, plural, rate, size

LABEL_WIDTH = 17


def summary_lines(records: Iterable[Record], report: Path | None = None) -> list[str]:
    """The summary, a line for each fact; empty without records. `report` is named where it is given."""
    return [f"{label:<{LABEL_WIDTH}}{fact}" for label, fact in summary_facts(records, report)]


def summary_facts(records: Iterable[Record], report: Path | None = None) -> list[tuple[str, str]]:
    """What the summary says: labels, empty where a fact goes on, and facts."""
    history = history_of(records)
    if not history.attempts:
        return []
    facts = [
        ("outcome", _outcome(history)),
        ("epochs", _epochs(history)),
        ("final metrics", ", ".join(metric_parts(history.metrics)) or UNKNOWN),
        ("throughput", rate(history.rows_per_second)),
        ("data stall", _stall(history)),
        ("", stall_advice(history.stall)),
        ("cache", history.cache and one_line(history.cache)),
        ("bad rows", f"{count(history.bad_rows)} left out" if history.bad_rows is not None else None),
        ("goodput", percent(history.goodput_percent)),
        ("attempts", _attempts(history)),
        ("data ran on", _nodes(history.data_nodes)),
        ("training ran on", _nodes(history.trainer_nodes)),
        ("best checkpoint", _checkpoint(history.best_checkpoint, "none marked as best")),
        ("last checkpoint", _checkpoint(history.last_checkpoint, "none saved")),
        ("next", next_step(history)),
        ("report", str(report) if report else None),
    ]
    return [(label, fact) for label, fact in facts if fact is not None]


def _outcome(history: History) -> str:
    took = f"after {duration(history.seconds)}"
    if history.ended is None:
        return f"{UNKNOWN} {took}: no end was recorded"
    ended = history.ended
    if ended.outcome == "Complete":
        return f"Complete {took}"
    message = f": {one_line(ended.message)}" if ended.message else ""
    return f"{one_line(ended.outcome)} {took} (exit code {ended.exit_code}){message}"


def _epochs(history: History) -> str:
    return f"{count(history.epochs_done)} of {count(history.total_epochs)}"


def _stall(history: History) -> str:
    stall = history.stall
    if stall is None:
        return UNKNOWN
    cause = main_cause(stall)
    main = f", main cause {one_line(cause)}" if cause else ""
    return f"{percent(stall.total_percent)} total, {percent(stall.steady_percent)} steady{main}"


def _attempts(history: History) -> str:
    repeated = sum(resumption.repeated_steps for resumption in history.resumptions)
    again = f", {plural(repeated, 'step')} repeated" if repeated else ""
    return f"{len(history.attempts)}, {plural(len(history.worker_restarts), 'worker restart')}{again}"


def _nodes(nodes: list[str]) -> str:
    return ", ".join(one_line(node) for node in nodes) or UNKNOWN


def _checkpoint(saved: CheckpointSaved | None, missing: str) -> str:
    if saved is None:
        return missing
    place = f"epoch {saved.epoch + 1}, step {count(saved.step)}"
    return f"{one_line(saved.path)} ({place}, {size(saved.size_bytes)})"


class Memory:
    """Keeps no notices, the newest of successive `Progress` records, and all records of the other kinds."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._placed = ""

    def keep(self, record: Record) -> bool:
        """Remember one record. False when it only repeats which nodes are used: that is worth no line."""
        if isinstance(record, Notice):
            return True
        if isinstance(record, Placement):
            placed, self._placed = self._placed, sentence_of(record)
            if placed == self._placed:
                return False
        if isinstance(record, Progress) and self.records and isinstance(self.records[-1], Progress):
            self.records.pop()
        self.records.append(record)
        return True
