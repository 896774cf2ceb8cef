"""The trainer's own errors, each tied to one exit code of the training process.

Anything else that is raised is either the user's code failing (exit code 13, with its traceback) or our bug.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.outages import outage_of


@dataclass(frozen=True)
class Failure:
    """Why an attempt ends, as a user should read it, and the exit code that it means."""

    exit: Exit
    text: str


class InvalidConfiguration(Exception):
    """The run cannot start as it is configured: a wrong hook, a missing column, a label that no node has.

    The message is one sentence that names the field, what was found and what is allowed. Exit code 12.
    """


class FolderTaken(InvalidConfiguration):
    """Another run's program writes to the run's folder. The message names both. Exit code 12."""


class NodesLost(Exception):
    """The cluster that was made for the run lacks nodes that it had. Exit code 14."""


class StorageUnavailable(Exception):
    """The run's folder cannot be reached, refuses, or is full: nothing follows about what lies there. Exit code 14.

    The message names the folder and the store's error.
    """


class LayoutError(ValueError):
    """A column cannot be read as arrays of one shape and dtype; its data must change, or its layout."""


class DataError(Exception):
    """Training data turned out to be unreadable or of the wrong shape. The message names the file.

    Exit code 13; where an outage has led to it, 14. An exception travels between processes without its causes, so
    that this one takes the outage along in words.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        outage = outage_of(self)
        return _data_error, (self.args, str(outage) or type(outage).__name__ if outage else None)


class NonFiniteLoss(Exception):
    """Training has come to a loss or gradient that is no number. The message names the step. Exit code 13."""


class UserCodeError(Exception):
    """A function of the run's author raised. `text` is the traceback of that code alone. Exit code 13."""

    def __init__(self, text: str):
        self.text = text
        super().__init__(text)

    def __reduce__(self) -> tuple[type[UserCodeError], tuple[str]]:
        return UserCodeError, (self.text,)


def _data_error(arguments: tuple[Any, ...], outage: str | None) -> DataError:
    error = DataError(*arguments)
    error.__cause__ = ConnectionError(outage) if outage else None
    return error
