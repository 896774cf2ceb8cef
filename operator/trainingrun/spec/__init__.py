"""The API of a TrainingRun as a typed model, and the way in: `parse(document) -> Run`.

Importing this package must stay cheap enough for a command line; it does no I/O.
"""

from trainingrun.spec.parse import parse
from trainingrun.spec.run import Run

__all__ = ["Run", "parse"]
