"""Where the kept cluster of a user is found: a folder of their own, which nobody else can write or read.

Who can write in it would have the next run send its environment to a program of theirs.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trainingrun_trainer.failures.errors import InvalidConfiguration


@dataclass(frozen=True)
class Folder:
    """The files in it.

    `state` says what is kept, `socket` is where the keeper listens. `keeping` is locked by the living keeper, and
    `using` by the living run that uses its cluster. `log` is what keeper and Ray say.
    """

    path: Path

    @property
    def state(self) -> Path:
        """See the class."""
        return self.path / "kept.json"

    @property
    def socket(self) -> Path:
        """See the class."""
        return self.path / "kept.socket"

    @property
    def keeping(self) -> Path:
        """See the class."""
        return self.path / "keeping.lock"

    @property
    def using(self) -> Path:
        """See the class."""
        return self.path / "using.lock"

    @property
    def log(self) -> Path:
        """See the class."""
        return self.path / "keeper.log"


def private_folder() -> Folder:
    """The user's folder, made if it is not there. Raises InvalidConfiguration if it is not theirs alone."""
    path = _path()
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InvalidConfiguration(
            f"{path}: found a path that cannot be a folder ({error.strerror or error}), allowed: a folder of yours; "
            "remove what is there, or set TMPDIR"
        ) from error
    return _checked(path)


def known_folder() -> Folder | None:
    """The user's folder if it is there. Raises InvalidConfiguration if it is not theirs alone."""
    path = _path()
    return _checked(path) if path.exists() or path.is_symlink() else None


def _path() -> Path:
    return Path(tempfile.gettempdir()) / f"trainingrun-{os.getuid()}"


def _checked(path: Path) -> Folder:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise InvalidConfiguration(
            f"{path}: found something of user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):o}, allowed: a "
            "folder that only you can use (mode 700); remove it, or set TMPDIR"
        )
    return Folder(path)
