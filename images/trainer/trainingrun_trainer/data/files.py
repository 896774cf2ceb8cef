"""Finds files on any file system by path, directory, glob or URI.

Only listing and opening: what is in a file is the formats' business.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from trainingrun_trainer.failures.errors import InvalidConfiguration

_MARKERS = (".", "_")


@dataclass(frozen=True)
class File:
    """A file with its length. `path` can be given to `open_file` in any process."""

    path: str
    size_bytes: int


def find_files(field: str, path: str, suffixes: tuple[str, ...]) -> list[File]:
    """Every file that `path` means, sorted by path.

    A directory is searched with everything below it for names that end in one of `suffixes`. Hidden files and
    those that begin with an underscore are markers, not data, unless they are asked for by name. What exists is
    never taken for a glob. Raises InvalidConfiguration when there are none.
    """
    try:
        filesystem, root = fsspec.core.url_to_fs(path)
        found = _listing(filesystem, root, suffixes)
    except (OSError, ValueError, ImportError) as error:
        raise InvalidConfiguration(f'{field}: cannot list "{path}": {error or type(error).__name__}') from error
    if not found:
        raise InvalidConfiguration(
            f'{field}: found nothing at "{path}"; allowed: a file, a folder with {"/".join(suffixes)} files, or a glob'
        )
    return [
        File(
            path=name if isinstance(filesystem, LocalFileSystem) else filesystem.unstrip_protocol(name),
            size_bytes=size,
        )
        for name, size in sorted(found.items())
    ]


def open_file(path: str) -> IO[bytes]:
    """`path`, local or a URI, opened for reading."""
    return fsspec.open(path, "rb").open()  # type: ignore[no-any-return]


def is_local(path: str) -> bool:
    """Whether `path` is a plain path of this machine."""
    return "://" not in path


def _listing(filesystem: Any, root: str, suffixes: tuple[str, ...]) -> dict[str, int]:
    if filesystem.isdir(root):
        details = filesystem.find(root, detail=True)
        details = {
            name: info
            for name, info in details.items()
            if name.lower().endswith(suffixes) and not _is_marker(name.removeprefix(root))
        }
    elif filesystem.exists(root):
        details = {root: filesystem.info(root)}
    else:
        fixed = re.split(r"[*?\[]", root)[0].rpartition("/")[0]
        asked = [part for part in PurePosixPath(root).parts if part.startswith(_MARKERS)]
        details = filesystem.glob(root, detail=True)
        details = {name: info for name, info in details.items() if not _is_marker(name.removeprefix(fixed), asked)}
    return {name: int(info["size"] or 0) for name, info in details.items() if info["type"] == "file"}


def _is_marker(below: str, asked: Iterable[str] = ()) -> bool:
    """Whether a path below the searched folder is hidden or a marker, unless a pattern in `asked` names it."""
    hidden = [part for part in PurePosixPath(below).parts if part.startswith(_MARKERS)]
    return any(not any(fnmatch.fnmatch(part, pattern) for pattern in asked) for part in hidden)
