"""What happened in a run, according to its records: the one reading that the terminal and the report share.

Pure except for `reading`, which only reads files. It must not draw, print or know HTML.
"""

from trainingrun.history.building import history_of
from trainingrun.history.reading import NoRecords, Unreadable, read_records
from trainingrun.history.run import AttemptHistory, History, Resumption

__all__ = ["AttemptHistory", "History", "NoRecords", "Resumption", "Unreadable", "history_of", "read_records"]
