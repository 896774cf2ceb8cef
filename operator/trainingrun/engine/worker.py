"""Between queue and reconciler: judges the result of a reconcile, counts it, logs it, and plans the next.

Whatever goes wrong with one run must end here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.engine.lease import LeadershipLost
from trainingrun.engine.metrics import Metrics, requests_made
from trainingrun.engine.queue import WorkQueue
from trainingrun.engine.reconcile import Outcome, Reconciler, Result
from trainingrun.engine.run_metrics import RunMetrics
from trainingrun.kube import ApiError, Transient

logger = logging.getLogger(__name__)

# Longer than all requests that one reconcile may need; one that hangs must not block its worker forever.
LOOK_SECONDS = 240.0
# A reconcile that changed something is followed by another at once. If that continues, something does not settle.
_MOST_CHANGES_IN_A_ROW = 8
# Results beside those of the reconciler: the API server refused or did not answer, and what nobody expected.
_FAILED, _BUG = "failed", "bug"


@dataclass
class _Log:
    key: Key
    started: float
    requests: list[str]


class Worker:
    """Reconciles runs. Without `runs`, no run has metrics of its own."""

    def __init__(
        self,
        reconciler: Reconciler,
        cache: Cache,
        queue: WorkQueue[Key],
        metrics: Metrics,
        runs: RunMetrics | None = None,
    ):
        self._reconciler = reconciler
        self._cache = cache
        self._queue = queue
        self._metrics = metrics
        self._runs = runs
        self._changes: dict[Key, int] = {}
        # A counter that appears with its first count shows no increase then.
        for result in (*map(str, Result), _FAILED, _BUG):
            metrics.reconciles.labels(result)

    async def look(self, key: Key) -> None:
        """Reconcile a run, and have it reconciled again when needed. Raises only when not leading."""
        log = _Log(key, time.perf_counter(), [])
        token = requests_made.set(log.requests)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                outcome = await self._reconciler.reconcile(key)
        except LeadershipLost:
            raise
        except TimeoutError:
            self._failed(log, Transient(f"took longer than {LOOK_SECONDS:g} s"))
        except ApiError as error:
            self._failed(log, error)
        except Exception as error:  # a bug: it must not stop other runs, and is not hidden either
            self._failed(log, error)
        else:
            self._done(log, outcome)
        finally:
            requests_made.reset(token)
            if self._runs is not None:
                self._runs.note(key, self._cache.run(key))

    def _done(self, log: _Log, outcome: Outcome) -> None:
        key = log.key
        for other in outcome.waiting:
            self._queue.add(other)
        if outcome.look_again is not None:
            self._queue.add_after(key, outcome.look_again)
        if outcome.result is Result.WRITTEN:
            changes = self._changes[key] = self._changes.get(key, 0) + 1
            if changes > _MOST_CHANGES_IN_A_ROW:
                self._queue.retry(key)
            else:
                self._queue.forgive(key)
                self._queue.add(key)
        else:
            self._changes.pop(key, None)
            self._queue.forgive(key)
        self._tell(log, outcome.result, logging.INFO if log.requests else logging.DEBUG)

    def _failed(self, log: _Log, error: Exception) -> None:
        is_known = isinstance(error, ApiError)
        pause = self._queue.retry(log.key, error.retry_after if isinstance(error, Transient) else None)
        self._metrics.retries.inc()
        fields = {"error": str(error)[:1000], "retryInSeconds": round(pause, 1)}
        if not is_known:
            logger.error(
                "reconcile raised an unexpected error (please report)", exc_info=error, extra={"run": str(log.key)}
            )
        self._tell(log, _FAILED if is_known else _BUG, logging.WARNING, fields)

    def _tell(self, log: _Log, result: str, level: int, fields: dict[str, object] | None = None) -> None:
        seconds = time.perf_counter() - log.started
        self._metrics.reconciles.labels(str(result)).inc()
        self._metrics.seconds.observe(seconds)
        if not logger.isEnabledFor(level):
            return
        run = self._cache.run(log.key)
        attempts = (run.status.get("attempts") or [{}]) if run is not None else [{}]
        what = {
            "run": str(log.key),
            "uid": run.uid if run is not None else None,
            "generation": run.generation if run is not None else None,
            "attempt": attempts[-1].get("index"),
            "result": str(result),
            "seconds": round(seconds, 4),
            "calls": len(log.requests),
        }
        logger.log(level, "reconciled", extra={**what, **(fields or {})})
