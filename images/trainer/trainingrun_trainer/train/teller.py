"""Tells the run's author what a result may suffer from: warnings, steps that were left out, numbers that are none.

It must not decide what is done about it, except to end an epoch in which nothing could be learnt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainingrun_trainer.failures.errors import DataError, NonFiniteLoss
from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.dry_run import Findings
from trainingrun_trainer.train.early_stopping import Patience
from trainingrun_trainer.train.epoch_sums import Tally
from trainingrun_trainer.train.notices import WarningsToNotices
from trainingrun_trainer.train.session import Session


class Teller:
    """The notices of one run. Rank 0's go out."""

    def __init__(self, session: Session):
        self.warnings = WarningsToNotices()
        self._session = session
        self._said: set[str] = set()
        self._left_out = 0

    def found(self, findings: Findings) -> None:
        """What the first batch has shown."""
        if findings.metrics:
            self._session.notice(findings.sentence, level="Info")
        for sentence in findings.notices:
            self._say(sentence)
        self.warnings.leave_out(findings.notices)

    def warned(self) -> None:
        """Warnings that this rank has had since the last time."""
        for text in self.warnings.drain():
            self._say(text)

    def left_out(self, tally: Tally) -> None:
        """After a step: the first of the run that was left out."""
        if tally.left_out > self._left_out == 0:
            position = self._session.position
            self._say(
                f"step {position.step + 1} (epoch {position.epoch}) was left out, since its loss or gradient is NaN or "
                "infinite (spec.recipe.onNonFiniteLoss: Skip)"
            )
        self._left_out = max(self._left_out, tally.left_out)

    def untaught(self, layers: list[str]) -> None:
        """Batch norm layers that have learnt nothing in an epoch."""
        if layers:
            self._say(
                f"batch norm has had one value per channel in every step, and has learnt nothing: {', '.join(layers)}; "
                "raise spec.recipe.globalBatchSize, or use another normalisation"
            )

    def epoch(self, metrics: dict[str, float], tally: Tally) -> None:
        """At the end of an epoch, with its metrics. Collective."""
        for texts in self._session.lockstep.gather(self.warnings.drain()):
            for text in texts:
                self._say(text)
        epoch, steps = self._session.position.epoch, self._session.position.epoch_step
        if tally.left_out:
            self._say(f"epoch {epoch}: {tally.left_out} steps of {steps + tally.left_out} were left out as not finite")
        if tally.overflowed > steps:
            self._say(
                f"epoch {epoch}: the gradients of {tally.overflowed} steps of {steps + tally.overflowed} overflowed in "
                "FP16, and the steps were left out; spec.recipe.mixedPrecision: BF16 has a wider range"
            )
        unknown = sorted(name for name, value in metrics.items() if not math.isfinite(value))
        if unknown:
            self._say(f"epoch {epoch}: {', '.join(unknown)} is NaN or infinite")
        dataset = self._session.recipe.dataset
        if dataset.validation is not None and not any(name.startswith("validation_") for name in metrics):
            self._say("spec.recipe.dataset.validation: there are no rows, so nothing was validated")

    def learnt(self, doubts: Sequence[str]) -> None:
        """What suggests that a training has learnt nothing."""
        for sentence in doubts:
            self._say(sentence)

    def ended_early(self, patience: Patience) -> None:
        """Training ends before its last epoch."""
        rule = self._session.recipe.early_stopping
        if rule is not None:
            best = "never a number" if patience.best is None else f"{patience.best:g} at best"
            self._session.notice(
                f"training ends after epoch {self._session.position.epoch - 1}: {rule.metric}, {best}, has not become "
                f"better for {patience.epochs} epochs (spec.recipe.earlyStopping)",
                level="Info",
            )

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            self._session.notice(sentence)


def refuse_nothing_learnt(position: Position, tally: Tally) -> None:
    """Refuse an epoch of which every step was left out, or that had none. Raises NonFiniteLoss or DataError."""
    if tally.left_out and not position.epoch_step:
        raise NonFiniteLoss(
            f"every step of epoch {position.epoch} was left out, since its loss or gradient is NaN or infinite "
            "(spec.recipe.onNonFiniteLoss: Skip): nothing can be learnt like this"
        )
    if not position.epoch_step and not tally.overflowed:
        raise DataError(
            f"not one row came to the trainers in epoch {position.epoch}: spec.recipe.dataset.train has none, or the "
            "transforms have left all of them out (is a `return` missing in one?)"
        )
