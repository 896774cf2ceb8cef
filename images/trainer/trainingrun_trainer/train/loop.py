"""What every rank does with its session: epochs, validation, checkpoints, news.

Reads as the story of a run. Steps, checkpoints and batches are defined in the modules next to it. An epoch that is
trained is saved before anything is done with it that may fail: metrics of all ranks, the scheduler, validation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch

from trainingrun.spec.storage import VALIDATION_PREFIX
from trainingrun_trainer.hooks import hook_of
from trainingrun_trainer.train import step_failures, watched_metrics
from trainingrun_trainer.train.computation import LOSS
from trainingrun_trainer.train.early_stopping import Patience, is_better
from trainingrun_trainer.train.epoch_sums import Sums
from trainingrun_trainer.train.feed import Batch
from trainingrun_trainer.train.learner import Learner
from trainingrun_trainer.train.learning import Learning
from trainingrun_trainer.train.session import Session
from trainingrun_trainer.train.step import Step
from trainingrun_trainer.train.steps import autocast
from trainingrun_trainer.train.teller import Teller, refuse_nothing_learnt

# The metric that counts an epoch's steps that onNonFiniteLoss: Skip has left out.
NON_FINITE_STEPS = "nonFiniteSteps"


def train(session: Session) -> None:
    """Train to the last epoch, or until asked to stop, with the author's loop if there is one."""
    hook = session.recipe.loop
    if hook is not None:
        hook_of("spec.recipe.loop", hook, "loop").call(session)
    else:
        Training(session).run()
    if not session.should_stop:
        session.reporter.finish()


class Training:
    """The built-in loop on one worker: all of it with `run`, or its parts for a loop that does more between them."""

    def __init__(self, session: Session):
        self._session = session
        self._recipe = session.recipe
        self._checkpoints = session.run.spec.storage.checkpoints
        self._learner = Learner(session)
        self._tally = self._learner.tally
        self._teller = Teller(session)
        self._patience = Patience()
        self._learning = Learning(session.recipe)
        self._learning.begin(self._learner.rates)
        # Whether the rows of the epoch that `position` names are trained, and only what follows is not done yet.
        self._is_trained = False

    def run(self) -> None:
        """Train from the newest checkpoint to the last epoch, or until asked to stop, or until patience is over."""
        with self._teller.warnings:
            self.restore()
            if self._is_patience_over():
                self._teller.ended_early(self._patience)
            while self._session.position.epoch < self._recipe.epochs and not self._is_patience_over():
                if not self.epoch():
                    return

    def restore(self) -> None:
        """Go on from the newest checkpoint, if there is one. Collective."""
        session = self._session
        restored = session.restore()
        if restored is None:
            return
        state = restored.state(session.device)
        self._learner.load_state_dict(state, restored)
        self._patience = Patience(**state.get("early_stopping", {}))
        if "epoch" in state:
            self._is_trained = state["epoch"]["is_trained"]
            self._tally.restore(state["epoch"], is_first=session.rank == 0)

    def epoch(self) -> bool:
        """Train the rest of an epoch, with validation and checkpoints; False when asked to stop before its end."""
        if not self._is_trained:
            self._train_rows()
            self._learner.settle()
            if self._session.should_stop:
                self._publish(lambda: self._counted(self._tally.sums.means()), now=True)
                self._save({})
                return False
            self._is_trained = True
        return self._finish_epoch()

    def step(self, step: Step) -> bool:
        """Learn from the rows of one step, which need not be of the epoch; whether the optimizer has moved."""
        is_first = not self._learner.has_begun
        step = self._begun(step, self._learner.transform)
        has_moved = self._learner.stepper.step(step)
        self._teller.left_out(self._tally)
        if is_first:
            if self._session.position.step == 0:
                self._learning.untrained(self._learner.stepper.gathered.means().get(LOSS, math.nan))
            names = self._session.lockstep.gather(sorted(self._learner.stepper.gathered.values))
            reported = self._counted(dict.fromkeys(set().union(*names), 0.0))
            watched_metrics.check_first_step(self._session.run, reported, self._learner.validation_metrics)
        return has_moved

    def _train_rows(self) -> None:
        session, every = self._session, self._checkpoints.every_steps
        self._learner.model.train()
        for step in session.train_steps():
            if self.step(step):
                self._moved()
                if every and session.position.step % every == 0:
                    self._save({})
            self._teller.warned()
            self._publish(lambda: self._counted(self._tally.sums.means()))
        if self._learner.has_begun:
            if self._learner.stepper.flush():
                self._moved()
            self._teller.untaught(self._learner.stepper.norms.untaught())
        self._teller.left_out(self._tally)

    def _finish_epoch(self) -> bool:
        session, recipe = self._session, self._recipe
        totals = self._tally.sums.over_ranks(session.lockstep)
        metrics = self._counted(totals.means)
        refuse_nothing_learnt(session.position, self._tally)
        epochs_done = session.position.epoch + 1
        if epochs_done == recipe.epochs or epochs_done % self._checkpoints.every_epochs == 0:
            self._save(metrics)
        self._publish(lambda: metrics, now=True)
        if recipe.dataset.validation is not None:
            metrics |= {f"{VALIDATION_PREFIX}{name}": value for name, value in self._validate().items()}
            if session.should_stop:
                self._save(metrics)
                return False
        self._teller.epoch(metrics, self._tally)
        watched_metrics.check(session.run, metrics)
        self._learner.schedule.after_epoch(metrics)
        self._keep_if_best(metrics)
        rows = int(max((rows for _, rows in totals.values.values()), default=0))
        steps, rates = session.position.epoch_step, self._learner.rates
        self._teller.learnt(
            self._learning.after_epoch(session.position.epoch, steps=steps, rows=rows, rates=rates, metrics=metrics)
        )
        if recipe.early_stopping is not None:
            self._patience = self._patience.after(metrics[recipe.early_stopping.metric], recipe.early_stopping)
        session.end_epoch(metrics)
        self._tally.clear()
        self._is_trained = False
        if self._is_patience_over():
            self._teller.ended_early(self._patience)
        if epochs_done == recipe.epochs or self._is_patience_over():
            self._save(metrics)  # so that the next attempt knows that nothing is left to do
        return True

    def _validate(self) -> dict[str, float]:
        session, learner, sums = self._session, self._learner, Sums()
        learner.model.eval()
        if learner.has_begun:
            learner.replicas.share_buffers()
        for turn in session.validation_steps():
            step = self._begun(turn, learner.validation_transform)
            if step.batch is not None:
                sums.add(step.rows, self._evaluated(step.batch))
        learner.model.train()
        session.leave_out()  # a step that also validates may log
        return {} if session.should_stop else sums.over_ranks(session.lockstep).means

    def _evaluated(self, batch: Batch) -> dict[str, torch.Tensor]:
        session, learner = self._session, self._learner
        model = learner.replicas.for_evaluation()
        try:
            with torch.no_grad(), autocast(self._recipe, session.device):
                return learner.computation.evaluation(model, batch, session)
        except Exception as error:
            step_failures.tell(
                error, learner.computation.calling, f"in validation after epoch {session.position.epoch}", batch
            )
            raise

    def _begun(self, step: Step, transform: Callable[[Batch], Batch]) -> Step:
        """The step with its batch as the model gets it; the first one also makes what is needed for any."""
        if step.batch is not None:
            step = dataclasses.replace(step, batch=transform(step.batch))
        if not self._learner.has_begun:
            self._teller.found(self._learner.begin(step))
            self._session.leave_out()
        return step

    def _moved(self) -> None:
        session, gathered = self._session, self._learner.stepper.gathered
        session.count_step()
        self._learner.schedule.after_step(lambda: gathered.over_ranks(session.lockstep).means["loss"])

    def _publish(self, metrics: Callable[[], dict[str, float]], *, now: bool = False) -> None:
        """Show progress: `metrics` of the epoch so far, beside those of the steps since the last time."""

        def recent() -> dict[str, float]:
            self._session.log(self._learner.learning_rates)
            return self._tally.report()

        self._session.publish(metrics, recent=recent, now=now)

    def _counted(self, metrics: dict[str, float]) -> dict[str, float]:
        skips = self._recipe.on_non_finite_loss == "Skip"
        return {**metrics, NON_FINITE_STEPS: float(self._tally.left_out)} if skips else metrics

    def _keep_if_best(self, metrics: dict[str, float]) -> None:
        wanted, session = self._checkpoints.best, self._session
        if wanted is not None and is_better(metrics[wanted.metric], session.position.best, wanted.mode):
            session.position = dataclasses.replace(session.position, best=metrics[wanted.metric])
            self._save(metrics)  # unless that has been done before validation
            session.keep_best(metrics)

    def _is_patience_over(self) -> bool:
        return self._patience.is_over(self._recipe.early_stopping)

    def _save(self, metrics: dict[str, float]) -> None:
        self._learner.settle()
        epoch = {"is_trained": self._is_trained, **self._tally.state(self._session.lockstep)}
        state = {**self._learner.state_dict(), "early_stopping": self._patience.state(), "epoch": epoch}
        self._session.save(state, metrics)
