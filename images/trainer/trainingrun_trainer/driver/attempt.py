"""Runs one attempt: starts training, passes its news on, and turns every way it can end into an outcome.

`fit` runs in a thread of its own, so that this process's main thread can always hear signals.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray.train.torch import TorchTrainer

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import (
    KINDS,
    AttemptEnded,
    Notice,
    Placement,
    Progress,
    Record,
    WorkersRestarted,
)
from trainingrun.spec import Run
from trainingrun_trainer import placement
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.row_advice import advice_on
from trainingrun_trainer.driver.attempt_records import ended, started
from trainingrun_trainer.driver.hub import News, create_hub
from trainingrun_trainer.driver.preemption import PreemptionWatch
from trainingrun_trainer.driver.start_watch import StartWatch
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import Failure
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.tasks import PassKey
from trainingrun_trainer.storage import RunStorage

_POLL_SECONDS = 0.5
# After an error a worker's peers may still be about to say that a machine was lost.
_JUDGEMENT_SECONDS = 2.0


@dataclass(frozen=True)
class Job:
    """What an attempt runs. `trainer` makes Ray Train's trainer once there is a hub to talk to.

    `pool` makes the pool of data workers that rows come from, or None; `first_pass` is the pass that is likely to be
    its first. `is_complete`: nothing is left. `said` are sentences for the record as it begins.
    `is_finished_by_return` is for training functions of which nothing more is known than that they have returned.
    `notices` are sentences about the run's data that its records should have.
    """

    run: Run
    storage: RunStorage
    workers: placement.Workers
    trainer: Callable[[Any], TorchTrainer]
    pool: Callable[[], Pool | None] = lambda: None
    first_pass: Callable[[], tuple[PassKey, Epoch] | None] = lambda: None
    is_complete: Callable[[], bool] = lambda: False
    said: tuple[str, ...] = ()
    is_finished_by_return: bool = False
    notices: tuple[str, ...] = ()


@dataclass
class StopRequest:
    """Set by a signal handler: with which exit code the attempt should end once a checkpoint is saved."""

    exit: Exit | None = None


class Attempt:
    """One attempt at a run. `emit` receives every record; `lost` is why the run's folder is another's now."""

    def __init__(
        self,
        job: Job,
        attempt: int,
        emit: Callable[[Record], None],
        stop: StopRequest,
        lost: Callable[[], Failure | None] = lambda: None,
    ):
        self._job = job
        self._attempt = attempt
        self._emit = emit
        self._stop = stop
        self._lost = lost
        self._began = time.time()
        self._preemption = PreemptionWatch()
        self._is_stop_passed_on = False
        self._last_status: dict[str, Any] | None = None
        self._rows_made: dict[str, int] = {}
        self._failures: list[tuple[float, Failure]] = []
        self._world: dict[str, list[int]] = {}

    def run(self) -> AttemptEnded:
        """Train until the end, whatever it is; returns the attempt's last record, which is not emitted."""
        if self._job.is_complete():
            return self._end(Failure(Exit.COMPLETE, "all epochs were already trained; there was nothing to do"))
        for sentence in self._job.notices:
            self._tell(Notice, level="Warning", message=sentence)
        if self._job.is_finished_by_return:
            self._tell_start(epochs=None, first_epoch=0, first_step=0, resumed_from=None)
        for sentence in self._job.said:
            self._tell(Notice, level="Info", message=sentence)
        watch = StartWatch(self._job.workers)
        hub = create_hub(self._job.pool(), self._job.first_pass())
        fitting = _Fit(self._job.trainer(hub))
        while fitting.is_alive():
            fitting.join(_POLL_SECONDS)
            self._pass_on(hub)
            if not self._world and (waiting := watch.sentence()):
                self._tell(Notice, level="Warning", message=waiting)
            if (failure := self._lost() or self._fatal_failure()) is not None:
                return self._end(failure)
        self._pass_on(hub)
        return self._end(self._verdict(fitting.error, ray.get(hub.news.remote())))

    def _pass_on(self, hub: Any) -> None:
        """Turn the hub's news into records, and a signal or a preemption into a request to stop."""
        if not self._is_stop_passed_on and (why := self._why_stop()):
            self._is_stop_passed_on = True
            hub.request_stop.remote()
            self._tell(Notice, level="Info", message=f"stopping after saving a checkpoint: {why}")
        news: News = ray.get(hub.news.remote())
        for kind, values in news.events:
            self._record_event(kind, values)
        if news.status is not None:
            self._last_status = news.status
            self._tell(Progress, **news.status, data=news.data)
        if news.sample is not None and (advice := advice_on(news.sample)) is not None:
            self._tell(Notice, level="Info", message=advice)
        if news.refused is not None and not self._world:
            self._failures.append((0.0, failure_of(news.refused)))
        self._rows_made = news.rows_made
        self._failures += [(time.monotonic(), failure) for failure in news.failures]

    def _why_stop(self) -> str | None:
        if self._stop.exit is Exit.ABORTED:
            return "SIGINT was received; a second SIGINT stops at once"
        if self._stop.exit is not None:
            return "SIGTERM was received"
        leaving = self._preemption.leaving(self._world)
        return f"nodes being preempted: {', '.join(leaving)}" if leaving else None

    def _record_event(self, kind: str, values: dict[str, Any]) -> None:
        if kind != "Started":
            self._tell(KINDS[kind], **values)
            return
        self._world = values.pop("ranks")
        if values.pop("generation") > 1:
            # The same attempt: Ray has replaced lost workers, and training resumes from the last checkpoint.
            self._failures.clear()
            where = values["resumed_from"] or values["initial_checkpoint"] or "the beginning"
            self._tell(WorkersRestarted, reason=f"training workers were lost; continuing from {where}")
            return
        self._tell_start(**values)

    def _tell_start(self, **values: Any) -> None:
        job = self._job
        self._emit(started(job.run, job.storage, self._attempt, world_size=job.workers.count, **values))

    def _fatal_failure(self) -> Failure | None:
        """A failure that a retry cannot fix, once the other ranks had time to report that a node was lost."""
        if any(failure.exit is Exit.INFRASTRUCTURE for _, failure in self._failures):
            return None  # Ray Train replaces the workers, as often as the run allows
        now = time.monotonic()
        for at, failure in self._failures:
            patience = _JUDGEMENT_SECONDS if self._job.workers.count > 1 and at else 0.0
            if now - at >= patience:
                return failure
        return None

    def _verdict(self, error: BaseException | None, news: News) -> Failure:
        if error is not None:
            told = sorted((failure for _, failure in self._failures), key=lambda f: f.exit is Exit.INFRASTRUCTURE)
            return told[0] if told else failure_of(error)
        if news.finished or (self._job.is_finished_by_return and not self._is_stop_passed_on):
            return Failure(Exit.COMPLETE, "all epochs are trained")
        stopped = self._stop.exit or Exit.PREEMPTED
        return Failure(stopped, "stopped after saving a checkpoint; run it again to continue from there")

    def _end(self, verdict: Failure) -> AttemptEnded:
        names = placement.names()
        self._tell(
            Placement,
            data_rows={names.get(node, node): rows for node, rows in self._rows_made.items()},
            trainer_ranks={names.get(node, node): ranks for node, ranks in self._world.items()},
        )
        return ended(verdict, self._attempt, self._began)

    def _tell(self, kind: type[Record], **values: Any) -> None:
        self._emit(kind(time=time.time(), attempt=self._attempt, **values))


class _Fit(threading.Thread):
    """`trainer.fit()` in the background. `error` is what it raised, after it has ended."""

    def __init__(self, trainer: TorchTrainer):
        super().__init__(name="trainingrun-fit", daemon=True)
        self._trainer = trainer
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """See threading.Thread."""
        try:
            self._trainer.fit()
        except BaseException as error:
            self.error = error
