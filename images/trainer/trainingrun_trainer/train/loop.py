"""The training function that Ray Train runs on every worker: epochs, validation, checkpoints, news.

Reads as the story of a run. Steps, checkpoints and batches are defined in the modules next to it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch

from trainingrun_trainer import hooks
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.train import recipe_objects
from trainingrun_trainer.train.learning import Learning
from trainingrun_trainer.train.session import LoopConfig, Session, Step
from trainingrun_trainer.train.steps import Stepper, Sums


def train(config: dict[str, Any]) -> None:
    """The training function. `config["loop"]` is a LoopConfig."""
    loop: LoopConfig = config["loop"]
    with _failures_told(loop.hub):
        session = Session(loop)
        hook = session.recipe.loop
        if hook is not None:
            hooks.load("spec.recipe.loop.function", hook.function, "loop")(session, **hook.parameters)
        else:
            Training(session).run()
        if not session.should_stop:
            session.reporter.finish()


class Training:
    """The built-in loop on one worker: all of it with `run`, or its parts for a loop that does more between them."""

    def __init__(self, session: Session):
        self._session = session
        self._recipe = recipe = session.recipe
        self._checkpoints = session.run.spec.storage.checkpoints
        torch.manual_seed(recipe.seed)
        model = recipe_objects.build_model(recipe)
        self._model = ray.train.torch.prepare_model(model, move_to_device=session.device)
        self._bare_model = getattr(self._model, "module", self._model)
        optimizer = recipe_objects.build_optimizer(recipe, self._bare_model)
        self._scheduler = recipe_objects.build_scheduler(recipe, optimizer)
        self._learning = Learning(recipe)
        self._learning.begin([group["lr"] for group in optimizer.param_groups])
        compiled: Any = torch.compile(self._model) if recipe.torch_compile else self._model
        # Dropout must differ between ranks; the weights, made above, must not.
        torch.manual_seed(recipe.seed + 1 + session.rank)
        self._stepper = Stepper(
            session, recipe, compiled, optimizer, recipe_objects.build_loss(recipe), recipe_objects.build_metric(recipe)
        )

    def run(self) -> None:
        """Train from the newest checkpoint to the last epoch, or until asked to stop."""
        self.restore()
        while self._session.position.epoch < self._recipe.epochs:
            if not self.epoch():
                return

    def restore(self) -> None:
        """Go on from the newest checkpoint, if there is one. Collective."""
        session = self._session
        restored = session.restore()
        if restored is not None:
            state = restored.state(session.device)
            self._bare_model.load_state_dict(state["model"])
            self._stepper.optimizer.load_state_dict(state["optimizer"])
            self._stepper.scaler.load_state_dict(state["scaler"])
            if self._scheduler is not None and state["scheduler"] is not None:
                self._scheduler.load_state_dict(state["scheduler"])

    def epoch(self) -> bool:
        """Train the rest of an epoch, with validation and checkpoints; False when asked to stop before its end."""
        session, every = self._session, self._checkpoints.every_steps
        self._model.train()
        self._stepper.sums = Sums()
        for step in session.train_steps():
            has_moved = self.step(step)
            if session.position.step == 0 and self._stepper.sums.rows == step.rows:
                self._learning.untrained(self._stepper.sums.means().get("loss", float("nan")))
            if has_moved:
                self._moved()
                if every and session.position.step % every == 0:
                    self._save({})
            session.publish(self._stepper.sums.means)
        if self._stepper.flush():
            self._moved()
        if session.should_stop:
            self._save({})
            return False
        self._finish_epoch()
        return True

    def step(self, step: Step) -> bool:
        """Learn from the rows of one step, which need not be of the epoch; whether the optimizer has moved."""
        return self._stepper.step(step)

    def _finish_epoch(self) -> None:
        session = self._session
        metrics = self._means(self._stepper.sums)
        session.publish(lambda: metrics, now=True)
        if self._recipe.dataset.validation is not None:
            metrics |= {f"validation_{name}": value for name, value in self._validate().items()}
        if self._scheduler is not None and self._recipe.scheduler and self._recipe.scheduler.interval == "Epoch":
            self._scheduler.step()
        for sentence in self._learning.after_epoch(
            session.position.epoch,
            steps=session.position.epoch_step,
            rows=self._stepper.sums.rows,
            rates=[group["lr"] for group in self._stepper.optimizer.param_groups],
            metrics=metrics,
        ):
            session.reporter.tell("Notice", level="Warning", message=sentence)
        best = self._is_best(metrics)
        session.end_epoch(metrics)
        self._save(metrics, best=best)

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
        self._session.count_step()
        if self._scheduler is not None and self._recipe.scheduler and self._recipe.scheduler.interval == "Step":
            self._scheduler.step()

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

    def _save(self, metrics: dict[str, float], *, best: bool = False) -> None:
        state = {
            "model": self._bare_model.state_dict(),
            "optimizer": self._stepper.optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict() if self._scheduler is not None else None,
            "scaler": self._stepper.scaler.state_dict(),
        }
        self._session.save(state, metrics, best=best)


@contextmanager
def _failures_told(hub: Any) -> Iterator[None]:
    """Tell the hub of an exception before Ray wraps it, then let it go on: Ray must end the other workers."""
    try:
        yield
    except Exception as error:
        ray.get(hub.fail.remote(failure_of(error)))
        raise
