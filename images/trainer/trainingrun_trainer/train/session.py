"""What a training function has on each worker: batches, checkpoints, news, and the request to stop.

The built-in loop is written with it and so can be anyone's (`spec.recipe.loop`):

    def loop(session):
        restored = session.restore()
        ...
        while session.position.epoch < session.recipe.epochs:
            for step in session.train_steps():
                ...
                session.count_step()
            if session.should_stop:
                return session.save(state, {})
            session.end_epoch({"loss": ...})
            session.save(state, {"loss": ...})

It decides nothing about models, and does not know who has started this process: worker.py does.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from trainingrun.spec import Run
from trainingrun_trainer.train.checkpoint_files import Position, consumed_rows
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.feed import Batch, Feed
from trainingrun_trainer.train.lockstep import Lockstep, ranks_by_node
from trainingrun_trainer.train.progress_meter import Meter
from trainingrun_trainer.train.random_states import resume_random
from trainingrun_trainer.train.reporter import Reporter
from trainingrun_trainer.train.restored import Part, Restored
from trainingrun_trainer.train.scalars import Scalars
from trainingrun_trainer.train.stall_timer import StallTimer
from trainingrun_trainer.train.starting import origin, refuse_trained, refuse_unasked
from trainingrun_trainer.train.step import Step

Metrics = Callable[[], dict[str, float]]


class Session:
    """A worker's view of the run. Attributes: `run`, `recipe`, `rank`, `world_size`, `device` and `position`.

    `total_rows`, and `expected_steps` of an epoch, are None where only reading tells.
    """

    def __init__(
        self,
        run: Run,
        *,
        device: torch.device,
        lockstep: Lockstep,
        reporter: Reporter,
        feed: Feed,
        saver: Saver,
        node: str,
        generation: int,
        total_rows: int | None,
    ):
        if run.spec.recipe is None:
            raise RuntimeError("a run with its own command has no built-in training function")
        self.run = run
        self.recipe = run.spec.recipe
        self.rank = lockstep.rank
        self.world_size = lockstep.world_size
        self.device = device
        self.position = Position(started_at=time.time())
        self.lockstep = lockstep
        self.generation = generation
        self.reporter = reporter
        self._node = node
        self._feed = feed
        self._saver = saver
        self.expected_steps = -(-total_rows // self.recipe.global_batch_size) if total_rows else None
        self._meter = Meter.of(self.recipe, self.expected_steps)
        self._timer = StallTimer()
        self._causes: dict[str, float] = {}
        self._scalars = Scalars()
        self._must_stop = False
        self._is_announced = False
        self._saved_at: tuple[int, int] | None = None
        self._saved: dict[str, Any] = {}

    @property
    def should_stop(self) -> bool:
        """Whether all ranks have agreed to save a checkpoint and end."""
        return self._must_stop

    def restore(self) -> Restored | None:
        """Continue from the newest whole checkpoint: sets `position` and the random generators. Collective.

        A run without one starts from what `recipe.initialCheckpoint` names, of which the state may be `model` alone.
        """
        restored = self._saver.restore()
        for level, sentence in restored.notices if restored is not None else ():
            self.notice(sentence, level=level)
        if restored is not None and restored.part is Part.EVERYTHING:
            refuse_trained(restored, self.recipe.epochs)
            self.position = restored.position
            self._meter.begin_attempt(self.position)
            if self.rank == 0:  # which carries what all ranks had used, so that the next checkpoint holds it too
                self._feed.consumed = consumed_rows(restored.directory)
            resume_random(restored.directory, self.rank, seed=self.recipe.seed, step=self.position.step)
        self._announce(restored)
        return restored

    def save(self, state: dict[str, Any], metrics: dict[str, float], *, best: bool = False) -> None:
        """Save a checkpoint at `position`, unless there is one already. Collective."""
        if self._saved_at == (self.position.epoch, self.position.step):
            return
        self.position = self._timer.in_step(self.position)
        self._saved_at = (self.position.epoch, self.position.step)
        values = self._saver.save(state, self.position, self._feed.account(), metrics, best=best)
        self.reporter.tell("CheckpointSaved", **values)
        self._timer.restart()
        self._saved = values

    def keep_best(self, metrics: dict[str, float]) -> None:
        """Keep the checkpoint that was saved last as the run's best, with its `metrics`. Collective."""
        self._saver.keep_best(metrics)
        values = {name: float(value) for name, value in metrics.items()}
        self.reporter.tell("CheckpointSaved", **{**self._saved, "best": True, "metrics": values})

    def notice(self, message: str, *, level: str = "Warning") -> None:
        """Tell the run's author something that is worth knowing. Rank 0's word counts; others' is dropped."""
        self.reporter.tell("Notice", level=level, message=message)

    def leave_out(self) -> None:
        """What has happened since the step began is no part of training: neither its time nor what it logged."""
        self._timer.restart()
        self._scalars = Scalars()

    def train_steps(self) -> Iterator[Step]:
        """The rest of the current epoch in steps that all ranks take together. Ends early when asked to stop.

        A rank without rows gets steps with `batch` None. It must take part in collective work nevertheless: gradients
        of such a step are best exchanged by hand, with zeros from that rank.
        """
        self._announce(None)
        self._meter.begin_epoch(self.position)
        self._timer.restart()
        bad_before = self.position.bad_rows
        for turn in self._feed.train(self.position.epoch, self.reporter.is_stop_requested):
            agreement, self._causes = turn.agreement, turn.causes
            self.position = self._timer.batch_came(
                self.position,
                rows=agreement.total_rows,
                waited_seconds=agreement.waited_seconds,
                is_first=turn.is_first,
            )
            self._count_bad(bad_before)
            if turn.is_first:
                # Neither the pace nor the rate is known from one batch that all had to wait for.
                self.reporter.postpone_status()
            try:
                yield Step.of(turn.batch, agreement.rows, self.rank)
            finally:
                self.position = self._timer.step_done(self.position)
            self._must_stop = agreement.must_stop
            if self._must_stop:
                break
        self._feed.drain()
        self.position = self._timer.steps_done(self.position)
        self._count_bad(bad_before)
        self._must_stop = self._must_stop or self._feed.is_stopped
        if not self._must_stop:
            # Now it is known, however many rows a transform has dropped or added.
            self.position = dataclasses.replace(self.position, steps_per_epoch=self.position.epoch_step or None)

    def validation_steps(self) -> Iterator[Step]:
        """One pass over the validation data in steps that all ranks take together. Ends early when asked to stop."""
        for turn in self._feed.validation(self.reporter.is_stop_requested):
            self._must_stop = self._must_stop or turn.agreement.must_stop
            if self._must_stop:
                return
            yield Step.of(turn.batch, turn.agreement.rows, self.rank)
        self._must_stop = self._must_stop or self._feed.is_stopped

    def validation_batches(self) -> Iterator[Batch]:
        """This rank's batches of `validation_steps`; every rank must make the whole pass."""
        return (step.batch for step in self.validation_steps() if step.batch is not None)

    def count_step(self) -> None:
        """The optimizer has moved once more."""
        position = self.position
        self.position = dataclasses.replace(position, step=position.step + 1, epoch_step=position.epoch_step + 1)

    def end_epoch(self, metrics: dict[str, float]) -> None:
        """Every row of the epoch is trained: tell its `metrics` and move `position` to the next one."""
        position = self.position
        cost = self._meter.epoch(position)
        self.reporter.tell(
            "EpochEnded",
            epoch=position.epoch,
            epochs=self.recipe.epochs,
            step=position.step,
            rows=cost.rows,
            seconds=cost.seconds,
            metrics=metrics,
            stall=cost.stall(self._causes),
        )
        self.position = dataclasses.replace(
            position, epoch=position.epoch + 1, epoch_step=0, steps_per_epoch=position.epoch_step or None
        )

    def publish(self, metrics: Metrics, *, recent: Metrics | None = None, now: bool = False) -> None:
        """Show progress, at most once a second unless `now`; `metrics` is called only when it is shown.

        With `recent`, `metrics` are means over the epoch so far, and `recent` those of the steps since the last time.
        """
        if self.reporter.is_status_due(now=now):
            values = metrics()  # which waits for the device
            since = recent() if recent is not None else None
            self.position = self._timer.in_step(self.position)
            status = self._meter.status(self.position, values, self._causes)
            self.reporter.publish(**status, recent_metrics=since, scalars=self._scalars.take())

    def log(self, values: Mapping[str, float | torch.Tensor]) -> None:
        """Record numbers beside the metrics, such as a temperature: single numbers, or tensors of one element.

        What is shown of each is the mean of the calls since progress was last shown. Rank 0's word counts. Never waits
        for the device. Raises InvalidConfiguration for anything else, and for more than 64 names.
        """
        if self.reporter.is_heard:
            self._scalars.add(values)

    def _count_bad(self, before: int) -> None:
        self.position = dataclasses.replace(self.position, bad_rows=before + self._feed.bad_rows)

    def _announce(self, restored: Restored | None) -> None:
        """Tell, once, where training starts and where the ranks are. Collective."""
        if self._is_announced:
            return
        self._is_announced = True
        refuse_unasked(restored, self._saver.initial)
        self.reporter.tell(
            "Started",
            epochs=self.recipe.epochs,
            first_epoch=self.position.epoch,
            first_step=self.position.step,
            **origin(restored),
            best=self._saver.best() if self.rank == 0 else None,
            generation=self.generation,
            ranks=ranks_by_node(self._node, self.lockstep),
        )
