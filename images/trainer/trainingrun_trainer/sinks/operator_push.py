"""Tells the operator how far the run is, by Kubeflow Trainer's progress protocol (KEP-2779).

The same variables, request and JSON, so that what reports to Trainer reports to us. A push that fails is dropped:
training must not wait for its own status.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import ssl
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from trainingrun.progress import AttemptEnded, Progress, Record, Stall

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


def status_of(progress: Progress, now: datetime) -> dict[str, Any]:
    """The request's body. Metrics are strings, as the protocol wants them."""
    metrics = {
        **progress.metrics,
        "currentEpoch": progress.epoch + 1,
        "totalEpochs": progress.epochs,
        "step": progress.step,
        "rowsPerSecond": progress.rows_per_second,
        "goodputPercentage": progress.goodput_percent,
        **_stall_metrics(progress.stall),
    }
    status: dict[str, Any] = {
        "progressPercentage": int(progress.percent),
        "metrics": [{"name": name, "value": f"{value:.6g}"} for name, value in metrics.items() if value is not None],
        "lastUpdatedTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if progress.eta_seconds is not None:
        status["estimatedRemainingSeconds"] = int(progress.eta_seconds)
    return {"trainerStatus": status}


def _stall_metrics(stall: Stall | None) -> dict[str, float]:
    if stall is None:
        return {}
    return {
        "dataStallPercentage": stall.total_percent,
        "dataStallSteadyPercentage": stall.steady_percent,
        **{f"dataStall{cause}Percentage": share for cause, share in stall.causes.items()},
    }


class OperatorPush:
    """Pushes the newest progress at most every ten seconds, from a thread of its own."""

    def __init__(self, endpoint: Endpoint, interval_seconds: float = _INTERVAL_SECONDS):
        self._endpoint = endpoint
        self._interval = interval_seconds
        self._newest: queue.Queue[Progress | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="trainingrun-push", daemon=True)
        self._thread.start()

    def emit(self, record: Record) -> None:
        """Take note of progress; other records are not the operator's business, but the end flushes."""
        if isinstance(record, Progress):
            self._newest.put(record)
        elif isinstance(record, AttemptEnded):
            self._newest.put(None)

    def close(self) -> None:
        """Push what is left, within the time of one request."""
        self._newest.put(None)
        self._thread.join(2 * _TIMEOUT_SECONDS)

    def _run(self) -> None:
        is_open = True
        latest: Progress | None = None
        next_push = time.monotonic()
        while is_open:
            try:
                item = self._newest.get(timeout=None if latest is None else max(0.0, next_push - time.monotonic()))
                is_open, latest = item is not None, item or latest
            except queue.Empty:
                pass  # the interval is over
            if latest is not None and (not is_open or time.monotonic() >= next_push):
                next_push = time.monotonic() + self._interval
                self._push(latest)
                latest = None

    def _push(self, progress: Progress) -> None:
        body = json.dumps(status_of(progress, datetime.now(UTC))).encode()
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
