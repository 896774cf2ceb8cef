"""Rows whose picture cannot be had: what is known of each, and how many of them a run puts up with.

Pure: who counts, and where it is told, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainingrun_trainer.failures.errors import DataError

_NAMED = 5
# Of a dataset whose length is not known, so many rows are looked at before their share says anything.
_LEAST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out: its id, and a sentence that names its file and what was found.

    `is_outage` tells that something could not be reached, so that another try later may give the row.
    """

    row: int
    text: str
    is_outage: bool = False


class BadRowBook:
    """The rows of one pass through a dataset that were left out, which may be `max_share` of its rows at most.

    `rows` are those of the dataset, None where only reading tells; `used` those that count as read before.
    """

    def __init__(self, field: str, max_share: float, rows: int | None = None, used: int = 0):
        self._field = field
        self._max_share = max_share
        self._rows = rows
        self._seen = used
        self._named: list[BadRow] = []
        self._outages = 0
        self.count = 0

    def add(self, rows: int, bad: Sequence[BadRow]) -> None:
        """Count `rows` more rows, the bad ones among them. Raises DataError as soon as there are too many.

        Of a dataset whose length is known, that is when no good row that follows could make up for them.
        """
        self._seen += rows
        self.count += len(bad)
        self._outages += sum(row.is_outage for row in bad)
        self._named += bad[: _NAMED - len(self._named)]
        if bad:
            self._check(max(self._seen, _LEAST_ROWS if self._rows is None else self._rows))

    def end(self) -> None:
        """Check the whole pass, whatever its length turned out to be. Raises DataError."""
        if self.count:
            self._check(self._seen)

    def notice(self) -> str | None:
        """What a user should read of the rows that were left out; None where there are none."""
        return f"{self._field}: {self._words()}" if self.count else None

    def _check(self, rows: int) -> None:
        if self.count <= self._max_share * rows:
            return
        cause = ConnectionError(self._named[0].text) if 2 * self._outages > self.count else None
        raise DataError(
            f"{self._field}: {self._words()}; spec.recipe.dataset.onBadRow.maxShare allows {self._max_share:.6g} of "
            f"{rows} rows"
        ) from cause

    def _words(self) -> str:
        was = "row was" if self.count == 1 else "rows were"
        more = f"; and {self.count - len(self._named)} more" if self.count > len(self._named) else ""
        return f"{self.count} {was} left out: {'; '.join(row.text for row in self._named)}{more}"
