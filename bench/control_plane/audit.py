"""What the API server's own log says of requests: whose, for what, and when by the server's clock."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Write:
    """One request that has changed something or tried to. Times in seconds since 1970."""

    user: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    received: float
    answered: float


class Logged(Protocol):
    """Has an API server that writes such a log."""

    @property
    def audit_log(self) -> Path:
        """The file."""


class AuditLog:
    """The part of a log that begins now."""

    def __init__(self, of: Logged):
        self._path = of.audit_log
        self._begin = self._path.stat().st_size

    def writes(self, user: str | None = None) -> list[Write]:
        """The writes about runs and what belongs to them, of everybody or of one user, oldest first."""
        with self._path.open("rb") as log:
            log.seek(self._begin)
            # The last line may be half written.
            entries = [json.loads(text) for text in log.read().split(b"\n")[:-1]]
        found = [_write(entry) for entry in entries if entry["verb"] in _WRITES and "objectRef" in entry]
        return sorted(
            (write for write in found if user in (None, write.user) and write.namespace), key=lambda w: w.answered
        )


def _write(entry: dict[str, Any]) -> Write:
    target = entry["objectRef"]
    return Write(
        user=entry["user"]["username"],
        verb=entry["verb"],
        resource="/".join(filter(None, (target["resource"], target.get("subresource")))),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        received=_seconds(entry["requestReceivedTimestamp"]),
        answered=_seconds(entry["stageTimestamp"]),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
