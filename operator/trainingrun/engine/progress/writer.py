"""Writes reports into the status of runs: rarely except at the end, only what is new, and the newest of several.

Each replica takes reports and may keep one for a while, so a write says on which version of the run it is based, and
is not made where a newer report is there by then.
It owns trainerStatus and the measured part of dataStatus, with a field manager of its own, and must write nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from trainingrun.contract.labels import PROGRESS_FIELD_MANAGER
from trainingrun.engine.cache import Cache
from trainingrun.engine.progress.reported_status import ReportedStatus, is_outdated
from trainingrun.kube import Api, ApiError, Conflict, NotFound, Transient
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.observed import RunObject, run_object_of

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
# A pod that reports more often than this has gone wrong.
BURST = 20
REQUESTS_PER_SECOND = 1.0
# A run that has not reported for so long has nothing left to remember: it may have a burst again, and be written anew.
_FORGOTTEN_SECONDS = 600.0
# Between reading a run and writing its status, others rarely write twice.
_MOST_TRIES = 5


@dataclass(frozen=True)
class _Waiting:
    """A report of an attempt, when it came, and the run as it was then."""

    run: RunObject
    attempt: int
    report: ReportedStatus
    time: datetime


@dataclass
class _Ledger:
    """What is known of one run's reports."""

    tokens: float = BURST
    refilled_at: float = 0.0
    written: ReportedStatus | None = None
    attempt: int = -1
    next_write: float = 0.0
    waiting: _Waiting | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    # An older report must not come after a newer one.
    writing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class ProgressWriter:
    """Takes reports that have been checked."""

    def __init__(self, api: Api, cache: Cache, now: Callable[[], datetime]):
        self._api = api
        self._cache = cache
        self._now = now
        self._clock = asyncio.get_running_loop().time
        self._ledgers: dict[str, _Ledger] = {}

    def may_report(self, run_uid: str) -> bool:
        """Whether the run's pods have not sent too many requests lately. Counts this one."""
        ledger, now = self._ledger(run_uid), self._clock()
        ledger.tokens = min(BURST, ledger.tokens + (now - ledger.refilled_at) * REQUESTS_PER_SECOND)
        ledger.refilled_at = now
        if ledger.tokens < 1:
            return False
        ledger.tokens -= 1
        return True

    async def take(self, run: RunObject, attempt: int, report: ReportedStatus) -> bool:
        """Write the report, or keep it until a write is due. Whether the status has it now, or a newer one.

        One of the end is written at once: who waits for the run's end finds the last checkpoint in its status.

        Raises `ApiError` if it could not be written.
        """
        ledger = self._ledger(run.uid)
        if attempt == ledger.attempt and report == ledger.written and ledger.waiting is None:
            return True
        ledger.attempt = attempt
        ledger.waiting = _Waiting(run, attempt, report, self._now())
        if not report.is_of_the_end and (ledger.task is not None or self._clock() < ledger.next_write):
            self._ensure_a_later_write(ledger)
            return False
        try:
            await self._write(ledger)
        except (NotFound, Conflict):
            ledger.waiting = None
            raise
        except ApiError:
            # Who sent it may have ended before it could send it again.
            self._ensure_a_later_write(ledger)
            raise
        return True

    async def flush(self, seconds: float) -> None:
        """Write what is kept, at the end of this process, and take at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*map(self._write_last, self._ledgers.values()))
        except TimeoutError:
            logger.warning("some progress reports were not written before shutdown")

    async def _write_last(self, ledger: _Ledger) -> None:
        if ledger.task is not None:
            ledger.task.cancel()
        try:
            await self._write(ledger)
        except ApiError as error:
            logger.warning("a progress report was lost: %s", error)

    def _ensure_a_later_write(self, ledger: _Ledger) -> None:
        if ledger.task is None:
            ledger.task = asyncio.create_task(self._write_later(ledger))

    async def _write_later(self, ledger: _Ledger) -> None:
        try:
            while ledger.waiting is not None:
                await asyncio.sleep(max(0.0, ledger.next_write - self._clock()))
                try:
                    await self._write(ledger)
                except (NotFound, Conflict):
                    ledger.waiting = None
                except ApiError as error:
                    logger.warning("a progress report could not be written yet: %s", error)
        finally:
            ledger.task = None

    async def _write(self, ledger: _Ledger) -> None:
        async with ledger.writing:
            if ledger.waiting is None:
                return
            waiting = ledger.waiting
            ledger.next_write = self._clock() + INTERVAL_SECONDS
            await self._apply(waiting)
            ledger.written = waiting.report
            if ledger.waiting is waiting:
                ledger.waiting = None

    async def _apply(self, waiting: _Waiting) -> None:
        run = self._cache.run_by_uid(waiting.run.uid) or waiting.run
        for _ in range(_MOST_TRIES):
            if is_outdated(waiting.report, waiting.attempt, waiting.time, run.status):
                return
            try:
                await self._api.apply_status(
                    TRAINING_RUNS,
                    run.namespace,
                    run.name,
                    waiting.report.status(waiting.time),
                    manager=PROGRESS_FIELD_MANAGER,
                    uid=run.uid,
                    resource_version=run.resource_version,
                )
                return
            except Conflict:
                run = await self._read(run)
        raise Transient(f"run {run.name} changes too fast for a report to be written")

    async def _read(self, run: RunObject) -> RunObject:
        """The run as it is now. Raises `Conflict` if another has its name."""
        found = run_object_of(await self._api.get(TRAINING_RUNS, run.namespace, run.name))
        if found.uid != run.uid:
            raise Conflict(f"run {run.name} has been replaced by a different one with the same name")
        return found

    def _ledger(self, run_uid: str) -> _Ledger:
        ledger = self._ledgers.pop(run_uid, None)
        if ledger is None:
            self._forget_idle()
            ledger = _Ledger(refilled_at=self._clock())
        # The one that was used last comes last.
        self._ledgers[run_uid] = ledger
        return ledger

    def _forget_idle(self) -> None:
        while self._ledgers:
            run_uid, oldest = next(iter(self._ledgers.items()))
            if oldest.waiting is not None or self._clock() - oldest.refilled_at < _FORGOTTEN_SECONDS:
                return
            del self._ledgers[run_uid]
