"""Digests of files here, and the refusal to replace what is different."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainingrun.transfer.places import TransferError

_MOST_NAMED = 3


def hashed(path: Path) -> Any:
    """The SHA-256 of a file, to go on with."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256")


def digest_of(path: Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal."""
    return str(hashed(path).hexdigest())


def refuse(names: Sequence[str], where: str) -> None:
    """Raise `TransferError` if there are any: they are there already, and are different."""
    if not names:
        return
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    what = "a different file" if len(names) == 1 else "different files"
    raise TransferError(
        f"{where} has {what} already: {', '.join(names[:_MOST_NAMED])}{more}. Nothing was copied; choose another "
        "folder, or remove what is there."
    )
