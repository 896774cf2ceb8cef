"""The training function that Ray Train runs on every worker: epochs, validation, checkpoints, news.

Reads as the story of a run. What a step, a checkpoint or a batch is stands in the modules beside it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray.train
import ray.train.torch
import torch

import ray
from trainingrun.spec import Run, parse
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer import hooks
from trainingrun_trainer.failures import failure_of
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train import build
from trainingrun_trainer.train.session import Session
from trainingrun_trainer.train.stall import StallClock
from trainingrun_trainer.train.steps import Stepper, Sums


@dataclass(frozen=True)
class LoopConfig:
    """What a worker needs besides its place in the world. `total_rows` is None where only reading tells."""

    document: dict[str, Any]
    storage: RunStorage
    hub: Any
    attempt: int
    batch_rows: int
    total_rows: int | None


def train(config: dict[str, Any]) -> None:
    """The training function. `config["loop"]` is a LoopConfig."""
    loop: LoopConfig = config["loop"]
    with _failures_told(loop.hub):
        run = parse(loop.document)
        session = Session(run, loop.storage, loop.hub, loop.attempt, loop.batch_rows, loop.total_rows)
        recipe = run.spec.recipe
        if recipe is None:
            raise RuntimeError("a run with its own command has no built-in loop")
        if recipe.loop is not None:
            function = hooks.load("spec.recipe.loop.function", recipe.loop.function, "loop")
            function(session, **recipe.loop.parameters)
        else:
            _Training(session, run, recipe).run()
        if not session.should_stop:
            session.reporter.finish()


class _Training:
    """The built-in loop on one worker."""

    def __init__(self, session: Session, run: Run, recipe: Recipe):
        self._session = session
        self._recipe = recipe
        self._checkpoints = run.spec.storage.checkpoints
        torch.manual_seed(recipe.seed)
        model = build.build_model(recipe)
        self._model = ray.train.torch.prepare_model(model, move_to_device=session.device)
        self._bare_model = getattr(self._model, "module", self._model)
        optimizer = build.build_optimizer(recipe, self._bare_model)
        self._scheduler = build.build_scheduler(recipe, optimizer)
        compiled: Any = torch.compile(self._model) if recipe.torch_compile else self._model
        # Dropout must differ between ranks; the weights, made above, must not.
        torch.manual_seed(recipe.seed + 1 + session.rank)
        self._stepper = Stepper(
            session, recipe, compiled, optimizer, build.build_loss(recipe), build.build_metric(recipe)
        )
        self._status_rows = 0
        self._status_time = time.monotonic()

    def run(self) -> None:
        """Train from the newest checkpoint to the last epoch, or until asked to stop."""
        self._restore()
        while self._session.position.epoch < self._recipe.epochs:
            if not self._epoch():
                return

    def _epoch(self) -> bool:
        """Train the rest of an epoch; False when asked to stop before its end."""
        session = self._session
        began, rows_before = time.monotonic(), session.position.rows
        self._model.train()
        self._stepper.sums = Sums()
        for step in session.train_steps():
            if self._stepper.step(step):
                self._moved()
            self._publish()
            every = self._checkpoints.every_steps
            if every and self._is_due(every):
                self._save({})
        if self._stepper.flush():
            self._moved()
        if session.should_stop:
            self._save({})
            return False
        self._finish_epoch(time.monotonic() - began, session.position.rows - rows_before)
        return True

    def _finish_epoch(self, seconds: float, rows: int) -> None:
        session, epoch = self._session, self._session.position.epoch
        metrics = self._means(self._stepper.sums)
        self._publish(metrics)
        if self._recipe.dataset.validation is not None:
            metrics |= {f"validation_{name}": value for name, value in self._validate().items()}
        if self._scheduler is not None and self._recipe.scheduler and self._recipe.scheduler.interval == "Epoch":
            self._scheduler.step()
        session.reporter.tell(
            "EpochEnded",
            epoch=epoch,
            epochs=self._recipe.epochs,
            step=session.position.step,
            rows=rows,
            seconds=seconds,
            metrics=metrics,
            stall=session.epoch_clock.stall(session.causes),
        )
        best = self._is_best(metrics)
        session.position = dataclasses.replace(
            session.position, epoch=epoch + 1, epoch_step=0, steps_per_epoch=session.position.epoch_step
        )
        self._save(metrics, best=best)
        self._status_time = time.monotonic()  # validation and saving are no part of the next rate

    def _validate(self) -> dict[str, float]:
        self._model.eval()
        sums = Sums()
        with torch.no_grad():
            for batch in self._session.validation_batches():
                inputs, targets = self._stepper.prepare(batch)
                with self._stepper.autocast():
                    # Not through DDP, which would wait for ranks that have fewer batches.
                    means = self._stepper.evaluate(self._bare_model(inputs), targets)
                sums.add(len(targets), **means)
        self._model.train()
        return self._means(sums)

    def _means(self, sums: Sums) -> dict[str, float]:
        """Means over the rows of all ranks. Collective."""
        names = self._session.lockstep.broadcast(sorted(sums.values) or None) or []
        mine = [float(sums.values[name]) if name in sums.values else 0.0 for name in names]
        *totals, rows = self._session.lockstep.sum([*mine, float(sums.rows)])
        return {name: total / rows for name, total in zip(names, totals, strict=True)} if rows else {}

    def _moved(self) -> None:
        session = self._session
        session.position = dataclasses.replace(
            session.position, step=session.position.step + 1, epoch_step=session.position.epoch_step + 1
        )
        if self._scheduler is not None and self._recipe.scheduler and self._recipe.scheduler.interval == "Step":
            self._scheduler.step()

    def _is_due(self, every_steps: int) -> bool:
        return self._stepper.is_between_batches and self._session.position.step % every_steps == 0

    def _is_best(self, metrics: dict[str, float]) -> bool:
        wanted = self._checkpoints.best
        if wanted is None:
            return False
        if wanted.metric not in metrics:
            raise KeyError(
                f'spec.storage.checkpoints.best.metric: there is no metric "{wanted.metric}"; '
                f"this run reports {', '.join(sorted(metrics))}"
            )
        value, best = metrics[wanted.metric], self._session.position.best
        is_best = best is None or (value > best if wanted.mode == "Max" else value < best)
        if is_best:
            self._session.position = dataclasses.replace(self._session.position, best=value)
        return is_best

    def _restore(self) -> None:
        session = self._session
        restored = session.restore()
        if restored is not None:
            state = restored.state(session.device)
            self._bare_model.load_state_dict(state["model"])
            self._stepper.optimizer.load_state_dict(state["optimizer"])
            self._stepper.scaler.load_state_dict(state["scaler"])
            if self._scheduler is not None and state["scheduler"] is not None:
                self._scheduler.load_state_dict(state["scheduler"])
        session.reporter.tell(
            "Started",
            first_epoch=session.position.epoch,
            first_step=session.position.step,
            resumed_from=restored.name if restored else None,
            generation=session.generation,
            ranks=session.ranks_by_node,
        )

    def _save(self, metrics: dict[str, float], *, best: bool = False) -> None:
        state = {
            "model": self._bare_model.state_dict(),
            "optimizer": self._stepper.optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict() if self._scheduler is not None else None,
            "scaler": self._stepper.scaler.state_dict(),
        }
        self._session.save(state, metrics, best=best)

    def _publish(self, metrics: dict[str, float] | None = None) -> None:
        session, position = self._session, self._session.position
        if not session.reporter.is_status_due() and not (metrics and session.rank == 0):
            return
        now = time.monotonic()
        seconds = max(now - self._status_time, 1e-3)
        rows = position.rows - self._status_rows
        self._status_time, self._status_rows = now, position.rows
        steps = position.steps_per_epoch or _steps_per_epoch(session.total_rows, self._recipe)
        total = steps * self._recipe.epochs if steps else None
        share = _share_done(position.epoch, position.epoch_step, steps, self._recipe.epochs)
        elapsed = max(time.time() - position.started_at, 1e-3)
        recent, session.recent_clock = session.recent_clock, StallClock()
        session.reporter.publish(
            epoch=position.epoch,
            epochs=self._recipe.epochs,
            step=position.step,
            total_steps=total,
            percent=100 * share,
            rows=position.rows,
            rows_per_second=rows / seconds,
            metrics=metrics or self._stepper.sums.means(),
            eta_seconds=position.productive_seconds / share * (1 - share) if share > 0 else None,
            stall=session.attempt_clock.stall(session.causes),
            recent_stall=recent.stall(session.causes),
            goodput_percent=min(100.0, 100 * position.productive_seconds / elapsed),
        )


def _steps_per_epoch(rows: int | None, recipe: Recipe) -> int | None:
    return -(-rows // recipe.global_batch_size) if rows else None


def _share_done(epoch: int, epoch_step: int, steps_per_epoch: int | None, epochs: int) -> float:
    within = min(1.0, epoch_step / steps_per_epoch) if steps_per_epoch else 0.0
    return min(1.0, (epoch + within) / epochs)


@contextmanager
def _failures_told(hub: Any) -> Iterator[None]:
    """Tell the hub of an exception before Ray wraps it, then let it go on: Ray must end the other workers."""
    try:
        yield
    except Exception as error:
        ray.get(hub.fail.remote(failure_of(error)))
        raise
