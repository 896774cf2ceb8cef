"""Keeps the lines of a log within a bound: progress says again and again what is nearly the same, and is thinned first.

Pure: it neither reads nor writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_PROGRESS = '{"kind":"Progress",'


@dataclass(frozen=True)
class _Line:
    """A line, and its number among those of its kind: `is_progress` or not."""

    is_progress: bool
    number: int
    text: str


class BoundedLines:
    """Lines of a log in at most `max_bytes`: where they would be more, every second one goes, again and again.

    Progress and the rest are thinned apart, the larger part first: progress says again and again what is nearly the
    same. The first and the newest line of both always stay.
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._lines: list[_Line] = []
        self._bytes = 0
        self._counts = {True: 0, False: 0}
        self._strides = {True: 1, False: 1}

    def add(self, text: str) -> None:
        """Keep a line."""
        is_progress = text.startswith(_PROGRESS)
        places = range(len(self._lines) - 1, -1, -1)
        newest = next((place for place in places if self._lines[place].is_progress == is_progress), None)
        if newest is not None and self._lines[newest].number % self._strides[is_progress]:
            self._bytes -= len(self._lines.pop(newest).text)  # it was there as the newest only
        self._lines.append(_Line(is_progress, self._counts[is_progress], text))
        self._counts[is_progress] += 1
        self._bytes += len(text)
        self._shrink()

    def following(self, texts: list[str]) -> BoundedLines:
        """The same with these lines before them."""
        together = BoundedLines(self._max_bytes)
        for text in [*texts, *(line.text for line in self._lines)]:
            together.add(text)
        return together

    def text(self) -> str:
        """The lines that are kept."""
        return "".join(line.text for line in self._lines)

    def _shrink(self) -> None:
        while self._bytes > self._max_bytes:
            is_progress = self._size(True) >= self._size(False)
            if self._strides[is_progress] >= self._counts[is_progress]:
                return  # the first and the newest are all that is left
            self._thin(is_progress)

    def _thin(self, is_progress: bool) -> None:
        self._strides[is_progress] *= 2
        stride, newest = self._strides[is_progress], self._counts[is_progress] - 1
        self._keep(lambda line: line.is_progress != is_progress or line.number % stride == 0 or line.number == newest)

    def _size(self, is_progress: bool) -> int:
        return sum(len(line.text) for line in self._lines if line.is_progress == is_progress)

    def _keep(self, is_kept: Callable[[_Line], bool]) -> None:
        self._lines = [line for line in self._lines if is_kept(line)]
        self._bytes = sum(len(line.text) for line in self._lines)
