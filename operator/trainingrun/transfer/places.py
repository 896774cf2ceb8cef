"""What a place of files can do, whatever it is, and how anything that is wrong with one is told.

A place is a folder of a volume or below a URI. Names of files are relative to it, with "/". It must not decide what is
copied: `downloading` and `uploading` do.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

# What has come of a file so far has this after its name, here as in the place.
PART = ".trainingrun-part"
CHUNK_BYTES = 256 << 10


# So many bytes of the file of this name are where they are to be.
Show = Callable[[str, int], None]


class TransferError(Exception):
    """Copying cannot go on. The message is a sentence for the user."""


class CutOff(Exception):
    """The connection was cut off, or what is at its other end is gone: asking again may help."""


@dataclass(frozen=True)
class Whole:
    """All bytes of a file have come: its SHA-256 digest where it comes from, if all of it was read there."""

    name: str
    sha256: str | None


@dataclass(frozen=True)
class Upload:
    """A file of this machine that is to have a name in the place; `offset` bytes of it are there already."""

    path: Path
    name: str
    size: int
    offset: int = 0


class Place(Protocol):
    """See the module. Every method may raise `CutOff` and `TransferError`."""

    async def sizes(self) -> dict[str, int] | None:
        """All files with their sizes; None where there is no such folder."""
        ...

    def read(self, files: Sequence[tuple[str, int]]) -> AsyncGenerator[bytes | Whole]:
        """The bytes of each (name, offset), in order, each file's followed by what it is as a whole."""
        ...

    async def digests(self, names: Sequence[str]) -> dict[str, str]:
        """The SHA-256 digests of files."""
        ...

    async def offer(self, files: Sequence[tuple[str, int]]) -> dict[str, tuple[bool, int]]:
        """Of each (name, size): whether it is there, with its size, or else how many bytes of it have come so far."""
        ...

    async def write(self, files: Sequence[Upload], show: Show, placed: Callable[[str], None]) -> None:
        """Write the files; `placed` gets the name of each that is whole."""
        ...


def checked_name(name: str) -> str:
    """A name that comes from elsewhere. Raises `TransferError` for one that leads out of its folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        raise TransferError(f"there is a file with a name that cannot be kept here: {name!r}")
    return name
