"""Finds files on any file system by path, directory, glob or URI, and reads what is asked for and no more.

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
from trainingrun_trainer.stores import file_system_of

_MARKERS = (".", "_")
_GLOB = re.compile(r"[*?\[]")
# What table formats keep beside their files. Files there may be deleted ones, which only the format's log tells.
_TABLE_LOGS = {"_delta_log": "a Delta Lake", ".hoodie": "a Hudi"}
_ICEBERG = ".metadata.json"
# What stores call a file's version, surest first: S3, Google Cloud, Azure, disks, and others.
_STAMPS = ("ETag", "etag", "md5Hash", "mtime", "last_modified", "LastModified", "created")


@dataclass(frozen=True)
class File:
    """A file with its length. `path` can be given to `open_file` in any process.

    `stamp` changes when the file is written again; it is empty where the store tells nothing of the kind.
    """

    path: str
    size_bytes: int
    stamp: str = ""


def find_files(field: str, path: str, suffixes: tuple[str, ...]) -> list[File]:
    """Every file that `path` means, sorted by path.

    A directory is searched with everything below it for names that end in one of `suffixes`. Hidden files and
    those that begin with an underscore are markers, not data, unless they are asked for by name. What exists is
    never taken for a glob. Raises InvalidConfiguration when there are none.
    """
    try:
        filesystem, root = file_system_of(path)
        found = _listing(filesystem, root, suffixes)
    except (OSError, ValueError, ImportError) as error:
        raise InvalidConfiguration(f'{field}: cannot list "{path}": {error or type(error).__name__}') from error
    except _TableFormat as error:
        raise InvalidConfiguration(
            f'{field}: "{path}" is {error} table, whose folder also holds files with rows that were deleted; allowed: '
            "plain files: write the table's current rows to Parquet first"
        ) from error
    if not found:
        raise InvalidConfiguration(
            f'{field}: found nothing at "{path}"; allowed: a file, a folder with {"/".join(suffixes)} files, or a glob'
        )
    return [
        File(path=_name(filesystem, name), size_bytes=int(info["size"] or 0), stamp=_stamp(info))
        for name, info in sorted(found.items())
    ]


def root_of(path: str) -> str:
    """The folder that `path` names, or that its glob starts from, as `find_files` begins the paths below it."""
    filesystem, root = fsspec.core.url_to_fs(path)
    return _name(filesystem, _GLOB.split(root)[0].rpartition("/")[0] if _GLOB.search(root) else root)


def open_file(path: str, *, random: bool = False) -> IO[bytes]:
    """`path`, local or a URI, opened for reading from its start to its end, or with `random` in single ranges.

    Remote files are read ahead unless ranges are asked for: ahead of a range lies what nobody wants.
    """
    filesystem, name = fsspec.core.url_to_fs(path)
    options = {} if isinstance(filesystem, LocalFileSystem) or not random else {"cache_type": "none"}
    opened: IO[bytes] = filesystem.open(name, "rb", **options)
    return opened


def is_local(path: str) -> bool:
    """Whether `path` is a plain path of this machine."""
    return "://" not in path


class _TableFormat(Exception):
    """A folder belongs to a table format; the argument is which, with its article."""


def _name(filesystem: Any, name: str) -> str:
    full: str = name if isinstance(filesystem, LocalFileSystem) else filesystem.unstrip_protocol(name)
    return full


def _refuse_table_formats(names: Iterable[str]) -> None:
    for name in names:
        for log, table in _TABLE_LOGS.items():
            if f"/{log}/" in name:
                raise _TableFormat(table)
        if name.endswith(_ICEBERG) and "/metadata/" in name:
            raise _TableFormat("an Iceberg")


def _stamp(info: dict[str, Any]) -> str:
    """What tells two contents of a file of one name and length apart: what the store calls its version, or its time."""
    return next((f"{name}={info[name]}" for name in _STAMPS if info.get(name)), "")


def _listing(filesystem: Any, root: str, suffixes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    if filesystem.isdir(root):
        details = filesystem.find(root, detail=True)
        _refuse_table_formats("/" + name.removeprefix(root).lstrip("/") for name in details)
        details = {
            name: info
            for name, info in details.items()
            if name.lower().endswith(suffixes) and not _is_marker(name.removeprefix(root))
        }
    elif filesystem.exists(root):
        details = {root: filesystem.info(root)}
    else:
        fixed = _GLOB.split(root)[0].rpartition("/")[0]
        _refuse_table_formats(f"/{log}/" for log in _TABLE_LOGS if fixed and filesystem.exists(f"{fixed}/{log}"))
        asked = [part for part in PurePosixPath(root).parts if part.startswith(_MARKERS)]
        details = filesystem.glob(root, detail=True)
        details = {name: info for name, info in details.items() if not _is_marker(name.removeprefix(fixed), asked)}
    return {name: info for name, info in details.items() if info["type"] == "file"}


def _is_marker(below: str, asked: Iterable[str] = ()) -> bool:
    """Whether a path below the searched folder is hidden or a marker, unless a pattern in `asked` names it."""
    hidden = [part for part in PurePosixPath(below).parts if part.startswith(_MARKERS)]
    return any(not any(fnmatch.fnmatch(part, pattern) for pattern in asked) for part in hidden)
