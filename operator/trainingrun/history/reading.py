"""Reads a run's progress records from its folder, on this machine or in a store, and says why where there are none.

It must not write, and a torn line (a writer that was killed) must not hide the lines around it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Protocol

from trainingrun.contract.records import LOG_DIRECTORY, Record, parse_line

_ATTEMPT_FILE = re.compile(r"attempt-(\d+)\.jsonl")


class NoRecords(ValueError):
    """The folder holds no progress record that can be read."""


class Unreadable(ValueError):
    """The store cannot be read: by these credentials, by the packages that are installed, or now."""


class _Folder(Protocol):
    def names(self) -> list[str]:
        """The names of the files in it; none where it does not exist."""

    def text(self, name: str) -> str:
        """A file's text."""


def read_records(folder: Path | str) -> list[Record]:
    """Every record of the run in `folder`, a path or a URI, attempt by attempt in the order of writing.

    Raises NoRecords when there is none, Unreadable where a store cannot be read, and OSError.
    """
    place = str(folder)
    logs: _Folder = _Stored(place) if "://" in place else _Local(Path(place) / LOG_DIRECTORY)
    names = ((match, name) for name in logs.names() if (match := _ATTEMPT_FILE.fullmatch(name)))
    lines = (
        line for _, name in sorted(names, key=lambda item: int(item[0][1])) for line in logs.text(name).splitlines()
    )
    records = [record for line in lines if (record := parse_line(line)) is not None]
    if not records:
        raise NoRecords(
            f"{place}: found no progress records, expected at least one record in "
            f"{place.rstrip('/')}/{LOG_DIRECTORY}/attempt-0000.jsonl; {_instead(place)}"
        )
    return records


def _instead(place: str) -> str:
    """What to name instead: runs have folders of their own in a storage that several may share."""
    try:
        runs = [] if "://" in place else sorted(path for path in Path(place).iterdir() if _has_records(path))
    except OSError:
        runs = []
    if not runs:
        return "name a run's own folder, which is in its storage"
    return f"name the run's own folder: {' or '.join(map(str, runs[:3]))}{' or another' if runs[3:] else ''}"


def _has_records(folder: Path) -> bool:
    return any(_ATTEMPT_FILE.fullmatch(name) for name in _Local(folder / LOG_DIRECTORY).names())


class _Local:
    def __init__(self, path: Path):
        self._path = path

    def names(self) -> list[str]:
        return [path.name for path in self._path.iterdir()] if self._path.is_dir() else []

    def text(self, name: str) -> str:
        return (self._path / name).read_text(encoding="utf-8", errors="replace")


class _Stored:
    def __init__(self, uri: str):
        self._uri = uri
        try:
            import fsspec

            self._files, root = fsspec.core.url_to_fs(uri)
        except (ImportError, ValueError) as error:
            scheme = uri.partition("://")[0]
            remedy = "pip install 'trainingrun[trainer]' reads s3://, gcsfs gs:// and adlfs abfs://"
            raise Unreadable(f"{uri}: {scheme}:// cannot be read with what is installed ({error}); {remedy}") from error
        self._root = f"{str(root).rstrip('/')}/{LOG_DIRECTORY}"

    def names(self) -> list[str]:
        try:
            return [str(path).rpartition("/")[2] for path in self._called("ls", self._root, detail=False)]
        except FileNotFoundError:
            return []

    def text(self, name: str) -> str:
        data: bytes = self._called("cat_file", f"{self._root}/{name}")
        return data.decode(errors="replace")

    def _called(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._files, method)(*arguments, **options)
        except FileNotFoundError:
            raise
        except Exception as error:  # each client of a store has errors of its own
            raise Unreadable(f"{self._uri}: cannot be read: {str(error) or type(error).__name__}") from error
