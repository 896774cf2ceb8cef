"""What a training function has on each worker: batches, checkpoints, news, and the request to stop.

The built-in loop is written with it and so can be anyone's (`spec.recipe.loop`). It decides nothing about models.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray.train
import ray.train.torch
import torch

import ray
from trainingrun.spec import Run
from trainingrun_trainer.data.collate import Collate
from trainingrun_trainer.data.loading import Loading
from trainingrun_trainer.data.order import ROW_ID, Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint import Position, consumed_rows, restore_random
from trainingrun_trainer.train.lockstep import Agreement, Lockstep
from trainingrun_trainer.train.news import Reporter
from trainingrun_trainer.train.saving import Restored, Saver
from trainingrun_trainer.train.stall import StallClock, blocked_by_cause

Batch = dict[str, torch.Tensor]
_PREEMPTION_CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class Step:
    """One step of all ranks. `batch` is this rank's rows, or None when only other ranks have rows left."""

    batch: Batch | None
    rows: int
    total_rows: int


class Session:
    """A worker's view of the run. Attributes: `run`, `rank`, `world_size`, `device`, `position`."""

    def __init__(self, run: Run, storage: RunStorage, hub: Any, attempt: int, batch_rows: int, total_rows: int | None):
        context = ray.train.get_context()
        self.run = run
        self.rank = context.get_world_rank()
        self.world_size = context.get_world_size()
        self.device = ray.train.torch.get_device() if torch.cuda.is_available() else torch.device("cpu")
        self.position = Position(started_at=time.time())
        self.batch_rows = batch_rows
        self.total_rows = total_rows
        self.lockstep = Lockstep(self.rank, self.world_size)
        self.generation: int = self.lockstep.broadcast(ray.get(hub.join.remote()) if self.rank == 0 else None)
        self.ranks_by_node: dict[str, list[int]] = {}
        for rank, node in enumerate(self.lockstep.gather(ray.get_runtime_context().get_node_id())):
            self.ranks_by_node.setdefault(node, []).append(rank)
        self.reporter = Reporter(hub, is_reporting=self.rank == 0)
        self.attempt_clock = StallClock()
        self.epoch_clock = StallClock()
        self.recent_clock = StallClock()  # since the last status
        self.causes: dict[str, float] = {}
        self._saver = Saver(storage, self.lockstep, f"a{attempt}g{self.generation}")
        self._hub = hub
        self._consumed = Consumed()
        self._template: Batch | None = None
        self._must_stop = False
        self._next_preemption_check = time.monotonic() + _PREEMPTION_CHECK_SECONDS
        recipe = run.spec.recipe
        self._dataset = recipe.dataset if recipe else None
        self._seed = recipe.seed if recipe else 0
        collate = recipe.collate if recipe else None
        self._collate = Collate(collate.function, dict(collate.parameters)) if collate else Collate()

    @property
    def should_stop(self) -> bool:
        """Whether all ranks have agreed to save a checkpoint and end."""
        return self._must_stop

    def shard(self, name: str) -> Any:
        """This rank's Ray Data iterator of dataset `name`."""
        return ray.train.get_dataset_shard(name)

    def restore(self) -> Restored | None:
        """Continue from the newest whole checkpoint: sets `position` and the random generators. Collective."""
        restored = self._saver.restore()
        for warning in restored.skipped if restored else ():
            self.reporter.tell("Notice", level="Warning", message=warning)
        if restored is None or not restored.name:
            return None
        self.position = restored.position
        # Rank 0 carries what all ranks had used, so that the next checkpoint holds it too.
        if self.rank == 0:
            self._consumed = consumed_rows(restored.directory)
        if not restore_random(restored.directory, self.rank):
            torch.manual_seed(hash((self._seed, self.position.step, self.rank)))
        return restored

    def save(self, state: dict[str, Any], metrics: dict[str, float], *, best: bool = False) -> None:
        """Save a checkpoint at `position`. Collective."""
        values = self._saver.save(state, self.position, self._consumed, metrics, best=best)
        self.reporter.tell("CheckpointSaved", **values)

    def train_steps(self) -> Iterator[Step]:
        """The rest of the current epoch in steps that all ranks take together. Ends early when asked to stop.

        A rank without rows gets steps with `batch` None and should take part in collective work with `template()`.
        """
        epoch = Epoch(self.position.epoch, self._seed, shuffle=self._dataset is None or self._dataset.shuffle)
        if self.rank == 0:
            ray.get(self._hub.begin_epoch.remote("train", epoch, self._consumed.to_bytes()))
        shard = self.shard("train")
        self.epoch_clock = StallClock()
        blocked_before = blocked_by_cause(shard)
        source = iter(self._loading(seed=self._seed + epoch.number).batches(shard, shuffle=epoch.shuffle))
        is_first = True
        while True:
            agreement, batch = self._fetch(source)
            if agreement.total_rows == 0:
                break
            self._share_template(agreement)
            began = time.monotonic()
            self._use(batch, agreement.total_rows)
            yield Step(batch, agreement.rows[self.rank], agreement.total_rows)
            self._account(agreement, time.monotonic() - began, is_first)
            blocked = blocked_by_cause(shard)
            self.causes = {name: blocked[name] - blocked_before[name] for name in blocked}
            is_first = False
            if self._agree_to_stop(agreement):
                return
        self._consumed = Consumed()

    def validation_batches(self) -> Iterator[Batch]:
        """One pass over this rank's share of the validation data; every rank must make it."""
        if self.rank == 0:
            ray.get(self._hub.begin_epoch.remote("validation", Epoch(0, 0, shuffle=False), None))
        for batch in self._loading(seed=0).batches(self.shard("validation"), shuffle=False):
            del batch[ROW_ID]
            yield batch

    def template(self) -> Batch:
        """A batch of the right shapes, for a rank that has no rows in a step."""
        if self._template is None:
            raise RuntimeError("no rank has had a batch yet")
        return self._template

    def _loading(self, seed: int) -> Loading:
        dataset = self._dataset
        return Loading(
            batch_rows=self.batch_rows,
            prefetch_batches=dataset.prefetch_batches if dataset else 2,
            shuffle_buffer_rows=dataset.shuffle_buffer_rows if dataset else 0,
            seed=seed,
            device=self.device,
            collate=self._collate,
        )

    def _fetch(self, source: Iterator[Batch]) -> tuple[Agreement, Batch | None]:
        began = time.monotonic()
        batch = next(source, None)
        waited = time.monotonic() - began
        rows = len(batch[ROW_ID]) if batch is not None else 0
        if batch is not None:
            self._template = {name: tensor for name, tensor in batch.items() if name != ROW_ID}
        check = self.rank == 0 and time.monotonic() >= self._next_preemption_check
        if check:
            self._next_preemption_check = time.monotonic() + _PREEMPTION_CHECK_SECONDS
        agreement = self.lockstep.agree(
            rows=rows,
            has_template=self._template is not None,
            waited_seconds=waited,
            must_stop=self.reporter.is_stop_requested,
            check_preemption=check,
        )
        return agreement, batch

    def _share_template(self, agreement: Agreement) -> None:
        if not any(agreement.lacks_template):
            return
        source = agreement.lacks_template.index(False)
        mine = None
        if self.rank == source and self._template is not None:
            mine = {name: tensor[:2].cpu() for name, tensor in self._template.items()}
        shared = self.lockstep.broadcast(mine, source=source)
        if self._template is None:
            self._template = {name: tensor.to(self.device) for name, tensor in shared.items()}

    def _use(self, batch: Batch | None, total_rows: int) -> None:
        """Count the rows as used before the step: a checkpoint within the step's turn must include them."""
        if batch is not None:
            self._consumed.add(batch.pop(ROW_ID).cpu().numpy())
        self.position = dataclasses.replace(self.position, rows=self.position.rows + total_rows)

    def _account(self, agreement: Agreement, seconds: float, is_first: bool) -> None:
        for clock in (self.attempt_clock, self.epoch_clock, self.recent_clock):
            clock.add(waited_seconds=agreement.waited_seconds, computed_seconds=seconds, is_first=is_first)
        self.position = dataclasses.replace(
            self.position, productive_seconds=self.position.productive_seconds + seconds
        )

    def _agree_to_stop(self, agreement: Agreement) -> bool:
        if agreement.check_preemption and ray.train.get_preemption_info() is not None:
            self.reporter.tell("Notice", level="Warning", message="a node is being taken away; saving a checkpoint")
            self._must_stop = True
        self._must_stop = self._must_stop or agreement.must_stop
        return self._must_stop
