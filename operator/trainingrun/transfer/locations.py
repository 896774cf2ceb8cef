"""Where files are copied from and to, as users and statuses write it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from trainingrun.transfer.places import TransferError

_CLAIM_SCHEME = "pvc://"
_CLAIM = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class InvalidLocation(TransferError):
    """It names no place. The message says what is allowed."""


@dataclass(frozen=True)
class ClaimFolder:
    """A folder of a persistentVolumeClaim, relative to its root, and "" for that."""

    claim: str
    folder: str

    def __str__(self) -> str:
        return f"{self.claim}:{self.folder}"


@dataclass(frozen=True)
class UriFolder:
    """A folder that fsspec can open."""

    uri: str

    def __str__(self) -> str:
        return self.uri


Location = ClaimFolder | UriFolder


def location_of(text: str, name: str = "") -> Location:
    """What `pvc://CLAIM/PATH`, `CLAIM:PATH`, `CLAIM` or another URI names. Without a path, a claim's folder is `name`.

    Raises `InvalidLocation`.
    """
    if text.startswith(_CLAIM_SCHEME):
        claim, _, path = text.removeprefix(_CLAIM_SCHEME).partition("/")
    elif "://" in text:
        return UriFolder(text)
    else:
        claim, _, path = text.partition(":")
    parts = PurePosixPath(path.strip("/") or name).parts
    if not _CLAIM.fullmatch(claim) or ".." in parts or "/" in parts:
        raise InvalidLocation(f"found {text}, allowed: CLAIM, CLAIM:PATH or a URI such as s3://bucket/data")
    return ClaimFolder(claim, "/".join(parts))
