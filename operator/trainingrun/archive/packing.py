"""Packs a folder into one archive: the same bytes for the same files, wherever and whenever.

The archive has to fit into a ConfigMap, the one place that any cluster has for it without a store to write to.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainingrun.archive.choosing import OWN_IGNORE, Refused, chosen
from trainingrun.archive.unpacking import MAX_UNPACKED_BYTES

ARCHIVE_KEY = "code.tar.gz"
# A ConfigMap holds at most 1 MiB, with its keys.
MAX_PACKED_BYTES = 1_000_000
_EXECUTABLE, _PLAIN = 0o755, 0o644
_SHOWN_FILES = 5


@dataclass(frozen=True)
class Archive:
    """A packed folder: a gzipped tar archive, its digest, and what is to be said about it."""

    data: bytes
    files: int
    withheld: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """The digest of the archive, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    def sentences(self) -> list[str]:
        """What is in it, and what was left out that might have been wanted."""
        said = [f"code: {self.files:,} files, {len(self.data):,} bytes packed, sha256 {self.sha256}"]
        if self.withheld:
            names = ", ".join(self.withheld[:_SHOWN_FILES]) + (", …" if len(self.withheld) > _SHOWN_FILES else "")
            said.append(f"code: left out, as they may hold secrets: {names}; `!NAME` in {OWN_IGNORE} packs them")
        return said


def packed(folder: Path) -> Archive:
    """The files of `folder` that are code, packed. Raises Refused where there are none, or they are too large."""
    selection = chosen(folder)
    sizes = {name: path.stat().st_size for name, path in selection.files.items()}
    if sum(sizes.values()) > MAX_UNPACKED_BYTES:
        raise _too_large(folder, f"{sum(sizes.values()):,} bytes", f"{MAX_UNPACKED_BYTES:,}", sizes)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in selection.files.items():
            data = path.read_bytes()
            archive.addfile(_entry(name, path, len(data)), io.BytesIO(data))
    data = gzip.compress(plain.getvalue(), mtime=0)
    if len(data) > MAX_PACKED_BYTES:
        raise _too_large(folder, f"{len(data):,} bytes packed", f"{MAX_PACKED_BYTES:,}", sizes)
    return Archive(data, len(sizes), selection.withheld)


def code_field(archive: Archive, run_name: str) -> dict[str, Any]:
    """`spec.code` of a run that gets this archive from a ConfigMap, whose name follows from the run's and the digest.

    Another archive is another ConfigMap, so that no run ever finds other code than it was given.
    """
    name = f"{run_name}-code-{archive.sha256[:12]}"
    return {"configMapKeyRef": {"name": name, "key": ARCHIVE_KEY}, "sha256": archive.sha256}


def _entry(name: str, path: Path, size: int) -> tarfile.TarInfo:
    """A file without what differs from machine to machine: owner, time, and all of its mode but one bit."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = _EXECUTABLE if path.stat().st_mode & 0o100 else _PLAIN
    return entry


def _too_large(folder: Path, found: str, allowed: str, sizes: dict[str, int]) -> Refused:
    largest = sorted(sizes, key=lambda name: sizes[name], reverse=True)[:_SHOWN_FILES]
    shown = ", ".join(f"{name} ({sizes[name]:,} bytes)" for name in largest)
    return Refused(
        f"{folder}: found {found}, allowed: at most {allowed}; the largest files are {shown}. Leave out in "
        f"{OWN_IGNORE} what is no code, or put the archive into the run's storage and name it in spec.code.uri"
    )
