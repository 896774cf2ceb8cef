"""Tells the operator how far the run is, by Kubeflow Trainer's progress protocol (KEP-2779).

The same variables, request and JSON, so that what reports to Trainer reports to us. A push that fails is dropped:
training must not wait for its own status.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainingrun.contract.records import AttemptEnded, AttemptStarted, CheckpointSaved, Progress, Record, Stall

_URL = "KUBEFLOW_TRAINER_SERVER_URL"
_CA = "KUBEFLOW_TRAINER_SERVER_CA_CERT"
_TOKEN = "KUBEFLOW_TRAINER_SERVER_TOKEN"  # noqa: S105 - the name of a variable that holds a path
_INTERVAL_SECONDS = 10.0
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class Endpoint:
    """Where to push. `ca_file` and `token_file` are paths; the token is read anew each time, since it is rotated."""

    url: str
    ca_file: str | None
    token_file: str | None

    @classmethod
    def from_environment(cls) -> Endpoint | None:
        """The endpoint that the operator has put into the pod, or None outside a cluster."""
        url = os.environ.get(_URL)
        return cls(url, os.environ.get(_CA), os.environ.get(_TOKEN)) if url else None


@dataclass(frozen=True)
class Report:
    """What is known of an attempt. `checkpoint` names the newest whole one, `resumed_from` the one it began with."""

    attempt: int
    progress: Progress | None = None
    checkpoint: str | None = None
    resumed_from: str | None = None

    def after(self, record: Record) -> Report:
        """What is known after `record`; most kinds are not the operator's business."""
        match record:
            case AttemptStarted():
                resumed = record.resumed_from
                return replace(self, attempt=record.attempt, checkpoint=resumed, resumed_from=resumed)
            case CheckpointSaved():
                return replace(self, attempt=record.attempt, checkpoint=record.path.rpartition("/")[2])
            case Progress():
                return replace(self, attempt=record.attempt, progress=record)
        return self

    def body(self, now: datetime) -> dict[str, Any]:
        """The request's body. Metrics are strings, as the protocol wants them; ours that are words come last."""
        words = {"attempt": f"{self.attempt}", "checkpoint": self.checkpoint, "resumedFrom": self.resumed_from}
        metrics = {**_numbers(self.progress), **{name: word for name, word in words.items() if word is not None}}
        status: dict[str, Any] = {
            "metrics": [{"name": name, "value": value} for name, value in metrics.items()],
            "lastUpdatedTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.progress is not None:
            status["progressPercentage"] = int(self.progress.percent)
        if self.progress is not None and self.progress.eta_seconds is not None:
            status["estimatedRemainingSeconds"] = int(self.progress.eta_seconds)
        return {"trainerStatus": status}


def _numbers(progress: Progress | None) -> dict[str, str]:
    if progress is None:
        return {}
    numbers = {
        **progress.metrics,
        "currentEpoch": progress.epoch + 1,
        "totalEpochs": progress.epochs,
        "step": progress.step,
        "rowsPerSecond": progress.rows_per_second,
        "goodputPercentage": progress.goodput_percent,
        **_stall_metrics(progress.stall),
    }
    return {name: f"{number:.6g}" for name, number in numbers.items() if number is not None}


def _stall_metrics(stall: Stall | None) -> dict[str, float]:
    if stall is None:
        return {}
    return {
        "dataStallPercentage": stall.total_percent,
        "dataStallSteadyPercentage": stall.steady_percent,
        **{f"dataStall{cause}Percentage": share for cause, share in stall.causes.items()},
    }


class OperatorPush:
    """Pushes what is known at most every ten seconds, from a thread of its own.

    Progress and saved checkpoints are worth a push, the start is not: it would hold up the news of the first step.
    """

    def __init__(self, endpoint: Endpoint, interval_seconds: float = _INTERVAL_SECONDS):
        self._endpoint = endpoint
        self._interval = interval_seconds
        self._report = Report(attempt=1)
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
            self._report = self._report.after(record)
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
        while (report := self._next(next_push)) is not None:
            next_push = time.monotonic() + self._interval
            self._push(report)

    def _next(self, earliest: float) -> Report | None:
        """Wait for news and the time to push them; None once there is nothing left to push."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_dirty or self._is_closing)
            self._changed.wait_for(lambda: self._is_closing, timeout=max(0.0, earliest - time.monotonic()))
            was_dirty, self._is_dirty = self._is_dirty, False
            return self._report if was_dirty else None

    def _push(self, report: Report) -> None:
        body = json.dumps(report.body(datetime.now(UTC))).encode()
        headers = {"Content-Type": "application/json"}
        try:
            if self._endpoint.token_file:
                headers["Authorization"] = f"Bearer {Path(self._endpoint.token_file).read_text().strip()}"
            request = urllib.request.Request(self._endpoint.url, body, headers, method="POST")  # noqa: S310
            context = ssl.create_default_context(cafile=self._endpoint.ca_file) if self._endpoint.ca_file else None
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context):  # noqa: S310
                pass
        except (OSError, ValueError, http.client.HTTPException) as error:
            print(f"warning: the operator was not told of the progress: {error}", file=sys.stderr)
