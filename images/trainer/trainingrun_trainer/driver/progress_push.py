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

from trainingrun.contract.progress_metrics import (
    ATTEMPT,
    BEST_CHECKPOINT,
    CHECKPOINT,
    RESUMED_FROM,
    checkpoint_metrics,
    metrics_of,
)
from trainingrun.contract.progress_protocol import CA_VARIABLE, MAX_METRICS, TOKEN_VARIABLE, URL_VARIABLE, encode
from trainingrun.contract.records import (
    AttemptEnded,
    AttemptStarted,
    CheckpointSaved,
    KeptCheckpoint,
    Notice,
    Progress,
    Record,
)

_INTERVAL_SECONDS = 10.0
_TIMEOUT_SECONDS = 5.0
_WORDS = frozenset({ATTEMPT, CHECKPOINT, BEST_CHECKPOINT, RESUMED_FROM})


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
    """What is known of an attempt. `last` is the newest whole checkpoint, `resumed_from` the one it began with.

    `best` is the run's best one, `figures` are those of the attempt's notices.
    """

    attempt: int
    progress: Progress | None = None
    last: KeptCheckpoint | None = None
    best: KeptCheckpoint | None = None
    resumed_from: str | None = None
    figures: dict[str, float] = field(default_factory=dict)

    def after(self, record: Record) -> AttemptProgress:
        """What is known after `record`; most kinds are not the operator's business."""
        match record:
            case AttemptStarted():
                resumed = record.resumed_from
                last = KeptCheckpoint(name=resumed) if resumed is not None else None
                return replace(self, attempt=record.attempt, last=last, best=record.best, resumed_from=resumed)
            case CheckpointSaved():
                saved = KeptCheckpoint(name=record.path.rpartition("/")[2], metrics=record.metrics)
                best = saved if record.best else self.best
                return replace(self, attempt=record.attempt, last=saved, best=best)
            case Notice():
                return replace(self, figures={**self.figures, **record.figures})
            case Progress():
                return replace(self, attempt=record.attempt, progress=record)
        return self

    def body(self, now: datetime) -> bytes:
        """The request's body. Our words win over a metric of the training program that has such a name."""
        resumed = {RESUMED_FROM: self.resumed_from} if self.resumed_from is not None else {}
        known = {ATTEMPT: f"{self.attempt}", **self._checkpoints(), **resumed}
        if self.progress is None:
            return encode(known, time=now)
        left = self.progress.eta_seconds
        figures = {name: f"{n:g}" for name, n in self.figures.items()}
        told = {**metrics_of(self.progress), **figures, **known}
        if len(told) > MAX_METRICS:
            # The training program has many metrics of its own: those of now come before those of checkpoints.
            told = {name: text for name, text in told.items() if name in _WORDS or name not in known}
        return encode(
            told,
            time=now,
            progress_percentage=int(self.progress.percent),
            estimated_remaining_seconds=None if left is None else math.ceil(left),
        )

    def _checkpoints(self) -> dict[str, str]:
        return {**checkpoint_metrics(CHECKPOINT, self.last), **checkpoint_metrics(BEST_CHECKPOINT, self.best)}


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
