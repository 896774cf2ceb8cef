"""One `trainingrun local` for each run: two would write the same attempts and checkpoints into one folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from trainingrun_trainer.failures.errors import InvalidConfiguration

_NAME = "lock"


@contextlib.contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Make `directory` and hold its lock. The kernel lets go of it when this process ends, however it does.

    Raises InvalidConfiguration if another process holds it, or if the directory cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / _NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise InvalidConfiguration(unwritable(directory, error)) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise InvalidConfiguration(
                f"{directory.parent}: found another `trainingrun local` that trains this run (process "
                f"{file.read().strip() or 'unknown'}), allowed: one at a time; wait for its end, or use another name"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def unwritable(directory: Path, error: OSError) -> str:
    """The sentence about a directory that cannot be written."""
    return (
        f"{directory}: found a directory that cannot be written ({error.strerror or error}), allowed: one that can; "
        "change to another working directory, or name one with --volume or spec.storage.uri"
    )
