"""What learns on one rank: model, loss, optimizer, scheduler and gradient scaler, and their state in a checkpoint.

It must not know of epochs, or of when anything is saved.
"""

from __future__ import annotations

from typing import Any

import torch

from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration
from trainingrun_trainer.train import recipe_objects
from trainingrun_trainer.train.checkpoint_files import INPUTS
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.dry_run import Findings, dry_run
from trainingrun_trainer.train.epoch_sums import Tally
from trainingrun_trainer.train.loading import load_model, load_optimizer, load_scaler
from trainingrun_trainer.train.normalisation import check_synced
from trainingrun_trainer.train.randomness import seed_all
from trainingrun_trainer.train.recipe_objects import RecipeObjects, trainer_transform
from trainingrun_trainer.train.replicas import Replicas
from trainingrun_trainer.train.restored import Part, Restored
from trainingrun_trainer.train.schedule import Schedule
from trainingrun_trainer.train.session import Session
from trainingrun_trainer.train.step import Step
from trainingrun_trainer.train.steps import Stepper, autocast_type

LEARNING_RATE = "learning_rate"


class Learner:
    """Made from a session's recipe. `begin` must be called with the first batch, before `stepper` is asked for."""

    def __init__(self, session: Session):
        self._session = session
        self._recipe = recipe = session.recipe
        device = session.device
        seed_all(recipe.seed)
        self.model = recipe_objects.build_model(recipe)
        check_synced(self.model, session.world_size, device)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        self.model.to(device)
        self.computation = Computation(recipe, device)
        self.optimizer = recipe_objects.build_optimizer(recipe, self.model, self.computation.loss_parameters())
        self.schedule = Schedule(recipe, self.optimizer)
        is_scaled = autocast_type(recipe.mixed_precision, device.type) is torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=is_scaled)
        self.transform = trainer_transform(recipe, training=True)
        self.validation_transform = trainer_transform(recipe, training=False)
        self.tally = Tally()
        self._inputs: dict[str, tuple[list[int], str]] = {}
        # The names that the dry run has found, if it could.
        self.validation_metrics: tuple[str, ...] = ()
        self._begun: tuple[Replicas, Stepper] | None = None
        # Dropout must differ between ranks; the weights, made above, must not.
        seed_all(recipe.seed + 1 + session.rank)

    @property
    def rates(self) -> list[float]:
        """The learning rates of the optimizer's groups, as they are now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    @property
    def learning_rates(self) -> dict[str, float]:
        """The same by the names that they are logged with: of the first group, and of others that differ from it."""
        first, *others = self.rates
        differing = {f"{LEARNING_RATE}_{number}": rate for number, rate in enumerate(others, 1) if rate != first}
        return {LEARNING_RATE: first, **differing}

    @property
    def has_begun(self) -> bool:
        """Whether there has been a batch."""
        return self._begun is not None

    @property
    def replicas(self) -> Replicas:
        """The ranks' copies of the model."""
        return self._after_begin()[0]

    @property
    def stepper(self) -> Stepper:
        """What takes steps."""
        return self._after_begin()[1]

    def begin(self, step: Step) -> Findings:
        """Try everything on the first batch, then tie the ranks together; returns what was found out.

        Collective. Raises InvalidConfiguration, on every rank.
        """
        findings = self._try(step)
        self.computation.decide(findings.decisions)
        self.validation_metrics = findings.validation_metrics
        self._inputs = findings.inputs
        findings.doubts = (*findings.doubts, *self.schedule.doubts(self._session.expected_steps))
        replicas = Replicas(
            self.model,
            self.computation.loss_parameters(),
            self._session.lockstep,
            # An author's step may call the model as it likes, or not at all: DDP would count wrongly.
            overlaps=self._recipe.train_step is None,
            finds_unused=bool(findings.unused_parameters),
            compiles=self._recipe.torch_compile,
        )
        stepper = Stepper(self._session, replicas, self.computation, self.optimizer, self.scaler, self.tally)
        self._begun = replicas, stepper
        return findings

    def settle(self) -> None:
        """Wait until it is known that every step taken was finite. Raises NonFiniteLoss."""
        if self._begun is not None:
            self.stepper.settle()

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "loss": self.computation.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            INPUTS: self._inputs,
        }

    def load_state_dict(self, state: dict[str, Any], restored: Restored) -> None:
        """Go on from the state of what was restored. Raises InvalidConfiguration where it does not fit the recipe."""
        load_model(self.model, state["model"], restored)
        if restored.part is Part.WEIGHTS:
            return
        self._inputs = state.get(INPUTS, {})
        self.computation.load_state_dict(state.get("loss", {}))
        load_optimizer(self.optimizer, state["optimizer"], restored)
        self.schedule.load_state_dict(state["scheduler"])
        load_scaler(self.scaler, state["scaler"])

    def _after_begin(self) -> tuple[Replicas, Stepper]:
        if self._begun is None:
            raise RuntimeError("there has been no batch yet")
        return self._begun

    def _try(self, step: Step) -> Findings:
        """The first rank that has rows tries them, on copies; all learn what came of it."""
        tries = step.ranks_with_rows[0]
        outcome: Findings | Exception = Findings()
        if self._session.rank == tries and step.batch is not None:
            made = RecipeObjects(self._recipe, self.model, self.optimizer, self.schedule.scheduler, self.computation)
            has_validation = self._recipe.dataset.validation is not None
            try:
                outcome = dry_run(made, dict(step.batch), has_validation=has_validation, session=self._session)
            except (InvalidConfiguration, DataError) as error:
                outcome = error
        outcome = self._session.lockstep.broadcast(outcome, source=tries)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
