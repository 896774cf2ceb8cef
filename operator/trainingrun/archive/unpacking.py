"""Unpacks an archive of code, which somebody else may have packed: within one folder, and within bounds."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

MAX_UNPACKED_BYTES = 256 << 20
MAX_ENTRIES = 50_000
_CHUNK_BYTES = 1 << 20
_EXECUTABLE, _PLAIN = 0o755, 0o644


class Unusable(ValueError):
    """The archive is not the one that is meant, or not one of code; the message says in a sentence why."""


def unpack(archive: Path, sha256: str, folder: Path) -> int:
    """Unpack the tar archive with this digest into `folder`, which is made if needed; returns the number of files.

    Raises Unusable, for another digest before anything is written.
    """
    digest = _digest(archive)
    if digest != sha256:
        raise Unusable(
            f"found an archive whose sha256 is {digest}, allowed: the one that spec.code.sha256 names, {sha256}"
        )
    files = size = 0
    try:
        with tarfile.open(archive, mode="r:*") as entries:
            for count, entry in enumerate(entries):
                size += entry.size
                if count >= MAX_ENTRIES or size > MAX_UNPACKED_BYTES:
                    raise Unusable(
                        f"found an archive with more than {MAX_ENTRIES:,} entries or {MAX_UNPACKED_BYTES:,} bytes "
                        "unpacked, which are the limits"
                    )
                files += _unpack_entry(entries, entry, folder)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of what is in the archive
        raise Unusable(
            f"found a file that cannot be unpacked ({error}), allowed: a tar archive, gzipped or not"
        ) from error
    if not files:
        raise Unusable("found an archive without files, allowed: one with the run's modules at its root")
    return files


def _unpack_entry(entries: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> int:
    """Unpack one entry; returns how many files it is."""
    name = PurePosixPath(entry.name)
    if name.is_absolute() or ".." in name.parts or "\0" in entry.name:
        raise Unusable(f"found the entry {entry.name!r} in the archive, allowed: names below its root, without '..'")
    target = folder / name
    if entry.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    stream = entries.extractfile(entry) if entry.isreg() else None
    if stream is None:
        raise Unusable(f"found the entry {entry.name!r} in the archive, which is a link or a device, allowed: files")
    target.parent.mkdir(parents=True, exist_ok=True)
    with stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file)
    target.chmod(_EXECUTABLE if entry.mode & 0o100 else _PLAIN)
    return 1


def _digest(archive: Path) -> str:
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
