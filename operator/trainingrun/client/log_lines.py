"""How lines of several processes are printed on one terminal."""

from __future__ import annotations

from typing import Protocol

import click

from trainingrun.contract.records import parse_line
from trainingrun.display.sentences import sentence_of
from trainingrun.history.figures import moment

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")


class Printer(Protocol):
    """Where lines of several processes go."""

    def line(self, label: str, text: str) -> None:
        """Take a line of this source."""

    def note(self, label: str, text: str) -> None:
        """Take what is said about a source, beside its lines."""


class LinePrinter:
    """Prints lines with the label of their source, in a colour each where the output is a terminal."""

    def __init__(self, *, labels: bool = True, raw: bool = False):
        self._labels = labels
        self._raw = raw
        self._colours: dict[str, str] = {}
        # As wide as the longest label of a pod, so that columns stay where they are when sources come.
        self._width = len("trainer/x7k2p")

    def line(self, label: str, text: str) -> None:
        """Print a line of this source."""
        shown = text if self._raw else told(text)
        click.echo(f"{self._prefix(label)}{shown}")

    def note(self, label: str, text: str) -> None:
        """Say something about a source, beside its lines."""
        click.echo(f"{label}: {text}" if label else text, err=True)

    def _prefix(self, label: str) -> str:
        if not self._labels:
            return ""
        self._width = max(self._width, len(label))
        colour = self._colours.setdefault(label, _COLOURS[len(self._colours) % len(_COLOURS)])
        return click.style(f"{label:<{self._width}} | ", fg=colour)


def told(line: str) -> str:
    """A record of the driver as a sentence with its time; any other line as it is."""
    record = parse_line(line) if line.startswith("{") else None
    sentence = sentence_of(record) if record else ""
    return f"{moment(record.time)}  {sentence}" if record and sentence else line
