"""Keeps what a summary needs of the records seen, in memory that does not grow with the number of steps."""

from __future__ import annotations

from trainingrun.display.sentences import sentence_of
from trainingrun.progress import Notice, Placement, Progress, Record


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
