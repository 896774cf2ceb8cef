"""Copies a folder of this machine into a place, and goes on where it was cut off.

A file that is there already and is different ends the command before anything is copied; one that is the same is left.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from trainingrun.transfer.conflicts import digest_of, refuse
from trainingrun.transfer.places import PART, CutOff, Place, Show, TransferError, Upload, checked_name
from trainingrun.transfer.retrying import Patience


def files_below(folder: Path) -> list[Upload]:
    """All files below a folder, also behind links. Raises `TransferError` where one cannot be read."""
    return sorted(_files_below(folder), key=lambda file: file.name)


async def upload(place: Place, files: Sequence[Upload], where: str, show: Show, patience: Patience) -> list[str]:
    """Copy the files to `where`, which is for people; returns the names of those that were not there yet."""
    left, missing = list(files), None

    def advanced(name: str, at: int) -> None:
        patience.renew()
        show(name, at)

    while left:
        try:
            left = await _missing(place, left, where, show)
            missing = missing or [file.name for file in left]
            whole: set[str] = set()
            try:
                await place.write(left, advanced, whole.add)
            finally:
                left = [file for file in left if file.name not in whole]
        except CutOff as error:
            await patience.after(error)
    return missing or []


async def _missing(place: Place, files: Sequence[Upload], where: str, show: Show) -> list[Upload]:
    """The files that are not there yet, with how much of each is. Raises `TransferError` for different ones."""
    offered = await place.offer([(file.name, file.size) for file in files])
    there = [file for file in files if offered[file.name][0]]
    alike = [file for file in there if offered[file.name][1] == file.size]
    digests = await place.digests([file.name for file in alike]) if alike else {}
    same = {file.name for file in alike if digests[file.name] == await asyncio.to_thread(digest_of, file.path)}
    refuse([file.name for file in there if file.name not in same], where)
    for file in files:
        show(file.name, file.size if file.name in same else offered[file.name][1])
    return [replace(file, offset=offered[file.name][1]) for file in files if file.name not in same]


def _files_below(folder: Path) -> Iterator[Upload]:
    seen = set()

    def refused(error: OSError) -> None:
        raise TransferError(f"{error.filename}: it cannot be read: {error.strerror}.") from error

    for here, folders, names in os.walk(folder, onerror=refused, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in names:
            path = Path(here) / name
            if name.endswith(PART):
                continue
            try:
                size = path.stat().st_size
            except OSError as error:
                raise TransferError(f"{path}: it cannot be read: {error.strerror}.") from error
            yield Upload(path, checked_name(path.relative_to(folder).as_posix()), size)
