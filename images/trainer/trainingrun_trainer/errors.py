"""The trainer's own errors, each tied to one exit code of the training process.

Anything else that is raised is either the user's code failing (exit code 13, with its traceback) or our bug.
"""

from __future__ import annotations


class InvalidConfiguration(Exception):
    """The run cannot start as it is configured: a wrong hook, a missing column, a label that no node has.

    The message is one sentence that names the field, what was found and what is allowed. Exit code 12.
    """


class DataError(Exception):
    """Training data turned out to be unreadable or of the wrong shape. The message names the file. Exit code 13."""


class UserCodeError(Exception):
    """A function of the run's author raised. `text` is the traceback of that code alone. Exit code 13."""

    def __init__(self, text: str):
        self.text = text
        super().__init__(text)

    def __reduce__(self) -> tuple[type[UserCodeError], tuple[str]]:
        return UserCodeError, (self.text,)
