"""Copies files of a place into a folder of this machine, and goes on where it was cut off.

A file gets its name only when its digest is what it was where it came from, and what it must be, if that is known.
A file that is there already and is different ends the command before anything is copied.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainingrun.transfer.conflicts import digest_of, hashed, refuse
from trainingrun.transfer.places import PART, CutOff, Place, Show, TransferError, Whole
from trainingrun.transfer.retrying import Patience


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: its size, and the digest that it must have, if that is known."""

    name: str
    size: int
    sha256: str | None = None


async def download(place: Place, files: Sequence[Wanted], folder: Path, show: Show, patience: Patience) -> list[str]:
    """Fetch the files, in this order; returns the names of those that were not there yet."""
    left = await patience.insist(lambda: _missing(place, files, folder, show))
    fetched = [file.name for file in left]
    # What was there of a file before may have been of another one: a damaged file is fetched once more, from its start.
    retried: set[str] = set()
    while left:
        try:
            await _fetch(place, left, folder, show, patience)
        except _Damaged as error:
            if error.name in retried:
                raise TransferError(f"{error}, also when it is fetched again.") from error
            retried.add(error.name)
        except CutOff as error:
            await patience.after(error)
    return fetched


class _Damaged(Exception):
    def __init__(self, name: str, words: str):
        super().__init__(words)
        self.name = name


async def _missing(place: Place, files: Sequence[Wanted], folder: Path, show: Show) -> list[Wanted]:
    """The files that are not there yet. Raises `TransferError` for those that are there and are different."""
    there = [file for file in files if _exists(folder / file.name)]
    alike = [file for file in there if (folder / file.name).is_file() and _size(folder / file.name) == file.size]
    unknown = [file.name for file in alike if file.sha256 is None]
    digests = await place.digests(unknown) if unknown else {}
    same = set()
    for file in alike:
        if await asyncio.to_thread(digest_of, folder / file.name) == (file.sha256 or digests[file.name]):
            same.add(file.name)
            show(file.name, file.size)
    refuse([file.name for file in there if file.name not in same], str(folder))
    return [file for file in files if file.name not in same]


async def _fetch(place: Place, left: list[Wanted], folder: Path, show: Show, patience: Patience) -> None:
    """Read what is left, as far as it comes; each file that is whole is taken off the list."""
    begun = [(file.name, min(_size(_part(folder, file)), file.size)) for file in left]
    pieces = place.read(begun)
    try:
        for file, (_, offset) in zip(list(left), begun, strict=True):
            show(file.name, offset)
            whole, digest = await _receive(pieces, file, offset, _part(folder, file), show, patience)
            told = whole.sha256 or file.sha256 or (await place.digests([file.name]))[file.name]
            await asyncio.to_thread(_place, file, told, digest, folder)
            left.remove(file)
    finally:
        await pieces.aclose()


async def _receive(
    pieces: AsyncGenerator[bytes | Whole], file: Wanted, offset: int, part: Path, show: Show, patience: Patience
) -> tuple[Whole, str]:
    """Add to what has come of a file before; what it is where it comes from, and the digest of what is here."""
    with _written(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as stream:
            stream.truncate(offset)
            digest = await asyncio.to_thread(hashed, part)
            async for piece in pieces:
                if isinstance(piece, Whole):
                    stream.flush()
                    os.fsync(stream.fileno())
                    return piece, digest.hexdigest()
                stream.write(piece)
                digest.update(piece)
                offset += len(piece)
                show(file.name, offset)
                patience.renew()
    raise CutOff(f"{file.name} has ended before its last byte")


def _place(file: Wanted, told: str, digest: str, folder: Path) -> None:
    """Give a file that has come its name, if it is what it must be; else delete what has come."""
    part, path = _part(folder, file), folder / file.name
    if digest != told:
        part.unlink()
        raise _Damaged(file.name, f"{file.name} did not arrive as it was sent")
    if file.sha256 is not None and digest != file.sha256:
        part.unlink()
        raise _Damaged(file.name, f"{file.name} does not match the digest that it was saved with: it is damaged")
    if _exists(path):
        refuse([file.name], str(folder))
    part.rename(path)


def _part(folder: Path, file: Wanted) -> Path:
    path = folder / file.name
    return path.with_name(path.name + PART)


def _exists(path: Path) -> bool:
    """Whether there is anything of this name, also a link to nowhere."""
    return os.path.lexists(path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransferError(f"{path}: it cannot be written: {error.strerror or error}.") from error
