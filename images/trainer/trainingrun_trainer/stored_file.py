"""A file that is being written somewhere: counted and digested on its way, so that nothing has to be read again.

It knows neither stores nor their errors: who opens the stream says what an error means.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class StoredFile:
    """What a file must be: its size in bytes and its SHA-256 digest in hexadecimal."""

    size: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """As it stands in a checkpoint's manifest."""
        return {"bytes": self.size, "sha256": self.sha256}


class Writing:
    """A stream for everything that writes to one, and a context manager, which closes it.

    `settle` is called once it is closed; `failed` makes the error to raise of what the stream raises.
    """

    def __init__(self, stream: Any, settle: Callable[[], None], failed: Callable[[Exception], Exception]):
        self._stream = stream
        self._settle = settle
        self._failed = failed
        self._digest = hashlib.sha256()
        self._size = 0
        self._error: Exception | None = None

    def write(self, data: Any) -> int:
        """Write bytes; returns their number."""
        self._guarded(lambda: self._stream.write(data))
        self._digest.update(data)
        self._size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing: a file counts once it is closed."""

    @property
    def written(self) -> StoredFile:
        """What has been written so far."""
        return StoredFile(self._size, self._digest.hexdigest())

    def __enter__(self) -> Writing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self._guarded(self._close)
            return
        with contextlib.suppress(Exception):
            self._stream.close()
        if self._error is not None and error is not self._error:
            raise self._error  # torch has made another error of it

    def _close(self) -> None:
        self._stream.close()
        self._settle()

    def _guarded(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except Exception as error:  # each client of a store has errors of its own
            self._error = self._failed(error)
            raise self._error from error
