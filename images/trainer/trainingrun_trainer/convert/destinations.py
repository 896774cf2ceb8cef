"""Where the files of a conversion go, so that no reader ever takes half of them for the whole.

A local folder is built beside its final name and renamed when it is complete. Object stores have no rename:
every file is uploaded whole, and a manifest last.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from trainingrun_trainer.convert.errors import ConvertError, UsageError

MANIFEST = "_manifest.json"


class Destination(Protocol):
    """A folder that becomes visible as a whole."""

    path: str
    notes: tuple[str, ...]

    def prepare(self) -> None:
        """Make room for the first file."""

    def part(self, name: str) -> Any:
        """Return a context manager of the local path to write one file to; leaving it keeps the file."""

    def publish(self, manifest: dict[str, Any]) -> None:
        """Make the files visible under the final name."""

    def discard(self) -> None:
        """Remove what was written, after an error."""


def open_destination(destination: str, *, overwrite: bool) -> Destination:
    """Return the local folder or fsspec URI; raises UsageError when it holds something already."""
    if "://" in destination and not destination.startswith("file://"):
        return RemoteFolder(destination, overwrite)
    return LocalFolder(Path(destination.removeprefix("file://")), overwrite)


class LocalFolder:
    """A folder on this machine, or on a volume mounted here."""

    def __init__(self, folder: Path, overwrite: bool):
        self._folder = Path(os.path.realpath(folder))
        self._overwrite = overwrite
        self._staging = self._folder.with_name(f"{self._folder.name}.tmp-{secrets.token_hex(4)}")
        self.path = str(self._folder)
        self._require_free()
        left = [str(path) for path in self._folder.parent.glob(f"{self._folder.name}.tmp-*")]
        self.notes = tuple(f"{path} is left over from a conversion that was killed; remove it" for path in left)

    def prepare(self) -> None:
        """Create the folder beside the final one; its parents too."""
        self._staging.mkdir(parents=True)

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """Yield the path of a file that gets its name when all its bytes are on the disk."""
        written = self._staging / f"{name}.tmp-{os.getpid()}"
        yield written
        _sync(written)
        written.rename(self._staging / name)

    def publish(self, manifest: dict[str, Any]) -> None:
        """Rename the folder; the one that it replaces is gone for the moment between two renames."""
        del manifest  # A folder that appears as a whole needs nothing that says it is complete.
        _sync(self._staging)
        self._require_free()
        replaced = self._staging.with_name(f"{self._staging.name}-replaced")
        if _entries(self._folder):
            self._folder.rename(replaced)
        try:
            self._staging.rename(self._folder)
        except OSError:
            if replaced.exists():
                replaced.rename(self._folder)
            raise
        _sync(self._folder.parent)
        shutil.rmtree(replaced, ignore_errors=True)

    def discard(self) -> None:
        """Remove the folder beside the final one."""
        shutil.rmtree(self._staging, ignore_errors=True)

    def _require_free(self) -> None:
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"DESTINATION {self.path}: found a file, allowed: a folder")
        if self._folder.is_mount():
            raise UsageError(f"DESTINATION {self.path}: found a mounted volume, allowed: a folder inside it")
        entries = _entries(self._folder)
        if entries and not self._overwrite:
            raise UsageError(f"DESTINATION {self.path} exists; --overwrite replaces it")
        foreign = [name for name in entries if not name.endswith(".parquet")]
        if foreign:
            raise UsageError(
                f"DESTINATION {self.path}: found {foreign[0]}, which was not written by a conversion; "
                "--overwrite replaces only folders of .parquet files"
            )


class RemoteFolder:
    """A prefix of an object store, or any other file system of fsspec."""

    def __init__(self, uri: str, overwrite: bool):
        import fsspec

        self.path = uri.rstrip("/")
        self.notes: tuple[str, ...] = ()
        try:
            self._files, self._root = fsspec.core.url_to_fs(self.path)
            self._found = self._files.find(self._root)
        except (ImportError, ValueError) as error:
            raise UsageError(f"DESTINATION {uri}: {error}") from error
        except Exception as error:  # Every store has its own errors for wrong credentials and addresses.
            raise ConvertError(f"DESTINATION {uri} cannot be listed: {error}") from error
        self._uploaded: list[str] = []
        self._local = tempfile.TemporaryDirectory(prefix="trainingrun-convert-", ignore_cleanup_errors=True)
        if self._found and not overwrite:
            complete = any(name.endswith(f"/{MANIFEST}") for name in self._found)
            state = "exists" if complete else f"exists without {MANIFEST}: a conversion to it did not finish"
            raise UsageError(f"DESTINATION {self.path} {state}; --overwrite replaces it")
        foreign = [name for name in self._found if not name.endswith((".parquet", f"/{MANIFEST}"))]
        if foreign:
            raise UsageError(f"DESTINATION {self.path}: found {foreign[0]}, which was not written by a conversion")

    def prepare(self) -> None:
        """Remove what is replaced, the manifest first: nothing may say that the data is complete."""
        for name in sorted(self._found, key=lambda name: not name.endswith(MANIFEST)):
            self._files.rm_file(name)
        self._files.makedirs(self._root, exist_ok=True)

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """Yield a local path; the file is uploaded and removed here when it is complete."""
        written = Path(self._local.name) / name
        yield written
        target = f"{self._root}/{name}"
        self._uploaded.append(target)
        self._files.put_file(str(written), target)
        written.unlink()

    def publish(self, manifest: dict[str, Any]) -> None:
        """Upload the manifest."""
        self._files.pipe_file(f"{self._root}/{MANIFEST}", json.dumps(manifest, indent=2).encode())
        self._local.cleanup()

    def discard(self) -> None:
        """Remove the uploaded files, as far as the store still answers."""
        self._local.cleanup()
        for name in self._uploaded:
            if self._files.exists(name):
                self._files.rm_file(name)


def _entries(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
