"""Writes reports into the status of runs: rarely except at the end, only what is new, and the newest of several.

It owns trainerStatus and the measured part of dataStatus, with a field manager of its own, and must write nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from trainingrun.contract.labels import PROGRESS_FIELD_MANAGER
from trainingrun.engine.progress.reported_status import ReportedStatus
from trainingrun.kube import Api, ApiError, Conflict, NotFound
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.observed import RunObject

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 10.0
# A pod that reports more often than this has gone wrong.
BURST = 20
REQUESTS_PER_SECOND = 1.0
_MAX_RUNS = 20_000


@dataclass
class _Ledger:
    """What is known of one run's reports."""

    tokens: float = BURST
    refilled_at: float = 0.0
    written: ReportedStatus | None = None
    attempt: int = -1
    next_write: float = 0.0
    waiting: tuple[RunObject, ReportedStatus, datetime] | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    # An older report must not come after a newer one.
    writing: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class ProgressWriter:
    """Takes reports that have been checked."""

    def __init__(self, api: Api, now: Callable[[], datetime]):
        self._api = api
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
        """Write the report, or keep it until a write is due. Whether it is in the status now.

        One of the end is written at once: who waits for the run's end finds the last checkpoint in its status.

        Raises `ApiError` if it could not be written.
        """
        ledger = self._ledger(run.uid)
        if attempt == ledger.attempt and report == ledger.written and ledger.waiting is None:
            return True
        ledger.attempt = attempt
        ledger.waiting = run, report, self._now()
        if not report.is_of_the_end and (ledger.task is not None or self._clock() < ledger.next_write):
            self._ensure_a_later_write(ledger)
            return False
        try:
            await self._write(ledger)
        except (NotFound, Conflict):
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
            waiting = run, report, time = ledger.waiting
            ledger.next_write = self._clock() + INTERVAL_SECONDS
            await self._api.apply_status(
                TRAINING_RUNS, run.namespace, run.name, report.status(time), manager=PROGRESS_FIELD_MANAGER, uid=run.uid
            )
            ledger.written = report
            if ledger.waiting is waiting:
                ledger.waiting = None

    def _ledger(self, run_uid: str) -> _Ledger:
        if run_uid not in self._ledgers:
            while len(self._ledgers) >= _MAX_RUNS:
                self._ledgers.pop(next(iter(self._ledgers)))
            self._ledgers[run_uid] = _Ledger(refilled_at=self._clock())
        return self._ledgers[run_uid]
