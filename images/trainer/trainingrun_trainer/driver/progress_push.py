"""Reports to the operator how far the run is, by the progress protocol.

A push that fails is dropped: training must not wait for its own status.
"""

from __future__ import annotations

import http.client
import math
import os
import ssl
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from trainingrun.contract.progress_metrics import ATTEMPT, CHECKPOINT, RESUMED_FROM, metrics_of
from trainingrun.contract.progress_protocol import CA_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE, encode
from trainingrun.contract.records import AttemptEnded, AttemptStarted, CheckpointSaved, Notice, Progress, Record

_INTERVAL_SECONDS = 10.0
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Endpoint:
    """Where to push. `ca_file` and `token_file` are paths; the token is read again each time, since it is rotated."""

    url: str
    ca_file: str | None
    token_file: str | None

    @classmethod
    def from_environment(cls) -> Endpoint | None:
        """The endpoint that the operator has put into the pod, or None outside a cluster."""
        url = os.environ.get(URL_VARIABLE)
        return cls(url, os.environ.get(CA_VARIABLE), os.environ.get(TOKEN_VARIABLE)) if url else None


@dataclass(frozen=True)
class AttemptProgress:
    """What is known of an attempt. `checkpoint` names the newest whole one, `resumed_from` the one it began with.

    `figures` are those of its notices.
    """

    attempt: int
    progress: Progress | None = None
    checkpoint: str | None = None
    resumed_from: str | None = None
    figures: dict[str, float] = field(default_factory=dict)

    def after(self, record: Record) -> AttemptProgress:
        """What is known after `record`; most kinds are not the operator's business."""
        match record:
            case AttemptStarted():
                resumed = record.resumed_from
                return replace(self, attempt=record.attempt, checkpoint=resumed, resumed_from=resumed)
            case CheckpointSaved():
                return replace(self, attempt=record.attempt, checkpoint=record.path.rpartition("/")[2])
            case Notice():
                return replace(self, figures={**self.figures, **record.figures})
            case Progress():
                return replace(self, attempt=record.attempt, progress=record)
        return self

    def body(self, now: datetime) -> bytes:
        """The request's body. Our words win over a metric of the training program that has such a name."""
        words = {ATTEMPT: f"{self.attempt}", CHECKPOINT: self.checkpoint, RESUMED_FROM: self.resumed_from}
        known = {name: word for name, word in words.items() if word is not None}
        if self.progress is None:
            return encode(known, time=now)
        left = self.progress.eta_seconds
        return encode(
            {**metrics_of(self.progress), **{name: f"{n:g}" for name, n in self.figures.items()}, **known},
            time=now,
            progress_percentage=int(self.progress.percent),
            estimated_remaining_seconds=None if left is None else math.ceil(left),
        )


class OperatorPush:
    """Pushes what is known at most every ten seconds, from a thread of its own.

    Progress and saved checkpoints are worth a push, the start is not: it would hold up the news of the first step.
    """

    def __init__(self, endpoint: Endpoint, interval_seconds: float = _INTERVAL_SECONDS):
        self._endpoint = endpoint
        self._interval = interval_seconds
        self._known = AttemptProgress(attempt=0)
        self._is_dirty = False
        self._is_closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="trainingrun-push", daemon=True)
        self._thread.start()

    def emit(self, record: Record) -> None:
        """Take note of what is the operator's business; the attempt's end flushes. Returns at once."""
        with self._changed:
            if self._is_closing:
                return
            self._known = self._known.after(record)
            self._is_dirty = self._is_dirty or isinstance(record, Progress | CheckpointSaved)
            self._is_closing = isinstance(record, AttemptEnded)
            self._changed.notify()

    def close(self) -> None:
        """Push what is left, within the time of one request."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(2 * _TIMEOUT_SECONDS)

    def _run(self) -> None:
        next_push = time.monotonic()
        while (known := self._next(next_push)) is not None:
            next_push = time.monotonic() + self._interval
            self._push(known)

    def _next(self, earliest: float) -> AttemptProgress | None:
        """Wait for news and the time to push them; None once there is nothing left to push."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_dirty or self._is_closing)
            self._changed.wait_for(lambda: self._is_closing, timeout=max(0.0, earliest - time.monotonic()))
            was_dirty, self._is_dirty = self._is_dirty, False
            return self._known if was_dirty else None

    def _push(self, known: AttemptProgress) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            if self._endpoint.token_file:
                headers["Authorization"] = f"Bearer {Path(self._endpoint.token_file).read_text().strip()}"
            body = known.body(datetime.now(UTC))
            request = urllib.request.Request(self._endpoint.url, body, headers, method="POST")  # noqa: S310
            context = ssl.create_default_context(cafile=self._endpoint.ca_file) if self._endpoint.ca_file else None
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context):  # noqa: S310
                pass
        except (OSError, ValueError, http.client.HTTPException) as error:
            print(f"warning: could not report progress to the operator: {error}", file=sys.stderr)
