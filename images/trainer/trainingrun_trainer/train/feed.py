"""Feeds one rank: its share of each epoch in batches, in step with the other ranks, counting which rows are used."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ray
import ray.train
import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.batches import Collate, Loading
from trainingrun_trainer.data.consumed import ROW_ID, Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.train.lockstep import Agreement, Lockstep

Batch = dict[str, torch.Tensor]

# Ray's counters of the time that an iterator was blocked, by what a user can do about them.
_COUNTERS = {
    "Production": ("iter_blocked_production_wait_s",),
    "Transfer": ("iter_blocked_data_transfer_s",),
    "Collate": (
        "iter_blocked_batching_s",
        "iter_blocked_format_s",
        "iter_blocked_collate_s",
        "iter_blocked_finalize_s",
    ),
}


@dataclass(frozen=True)
class Turn:
    """What one step has to work with. `batch` is None when only other ranks have rows left.

    `causes` are the seconds that this epoch has been blocked so far, by cause.
    """

    batch: Batch | None
    agreement: Agreement
    is_first: bool
    causes: dict[str, float]


class Feed:
    """A rank's data. `consumed` are the rows of the current epoch that are used."""

    def __init__(
        self, recipe: Recipe, hub: Any, lockstep: Lockstep, device: torch.device, batch_rows: int, row_bytes: int
    ):
        self.consumed = Consumed()
        self._recipe = recipe
        self._hub = hub
        self._lockstep = lockstep
        self._device = device
        self._batch_rows = batch_rows
        self._row_bytes = row_bytes
        self._template: Batch | None = None
        _ask_early("train")
        hook = recipe.collate
        self._collate = Collate(hook.function, dict(hook.parameters)) if hook else Collate()

    def train(self, epoch: int, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        """The rows of `epoch` that are not consumed. All ranks get equally many turns.

        `must_stop` is asked before each turn; what rank 0's says is in every rank's agreement.
        """
        dataset = self._recipe.dataset
        plan = Epoch(epoch, self._recipe.seed, shuffle=dataset.shuffle)
        source = self._begin("train", plan, self.consumed.to_bytes())
        shard = ray.train.get_dataset_shard("train")
        before = _blocked_by_cause(shard)
        is_first = True
        while True:
            began = time.monotonic()
            batch = next(source, None)
            agreement = self._agree(batch, time.monotonic() - began, must_stop())
            if agreement.total_rows == 0:
                self.consumed = Consumed()
                return
            if batch is not None:
                # Counted before the step: a checkpoint within the step's turn must include its rows.
                self.consumed.add(batch.pop(ROW_ID).cpu().numpy())
            now = _blocked_by_cause(shard)
            if is_first and dataset.validation is not None:
                _ask_early("validation")
            yield Turn(batch, agreement, is_first, {cause: now[cause] - before[cause] for cause in now})
            is_first = False

    def validation(self, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        """One pass over the validation data; equally many turns on all ranks, as in `train`."""
        source = self._begin("validation", Epoch(0, 0, shuffle=False), None)
        while True:
            batch = next(source, None)
            agreement = self._agree(batch, 0.0, must_stop())
            if agreement.total_rows == 0:
                return
            if batch is not None:
                del batch[ROW_ID]
            yield Turn(batch, agreement, False, {})

    def template(self) -> Batch:
        """A batch of the right shapes, for a rank that has no rows in a step."""
        if self._template is None:
            raise RuntimeError("no rank has had a batch yet")
        return dict(self._template)

    def _begin(self, name: str, epoch: Epoch, consumed: bytes | None) -> Iterator[Batch]:
        if self._lockstep.rank == 0:
            ray.get(self._hub.begin_epoch.remote(name, epoch, consumed))
        dataset = self._recipe.dataset
        loading = Loading(
            batch_rows=self._batch_rows,
            row_bytes=self._row_bytes,
            prefetch_batches=dataset.prefetch_batches,
            shuffle_buffer_rows=dataset.shuffle_buffer_rows,
            seed=epoch.seed + epoch.number,
            device=self._device,
            collate=self._collate,
        )
        return loading.batches(ray.train.get_dataset_shard(name), shuffle=epoch.shuffle)

    def _agree(self, batch: Batch | None, waited: float, must_stop: bool) -> Agreement:
        if batch is not None:
            self._template = {name: tensor for name, tensor in batch.items() if name != ROW_ID}
        agreement = self._lockstep.agree(
            rows=len(batch[ROW_ID]) if batch is not None else 0,
            has_template=self._template is not None,
            waited_seconds=waited,
            must_stop=must_stop,
        )
        if agreement.total_rows and any(agreement.lacks_template):
            self._share_template(agreement.lacks_template.index(False))
        return agreement

    def _share_template(self, source: int) -> None:
        mine = None
        if self._lockstep.rank == source and self._template is not None:
            mine = {name: tensor[:2].cpu() for name, tensor in self._template.items()}
        shared = self._lockstep.broadcast(mine, source=source)
        if self._template is None:
            self._template = {name: tensor.to(self._device) for name, tensor in shared.items()}


def _blocked_by_cause(shard: Any) -> dict[str, float]:
    """Seconds that `shard`, a Ray Data iterator, has been blocked since it was made, by cause.

    Ray counts them but has no public accessor. Raises AttributeError when Ray has renamed its counters.
    """
    stats = shard._iter_stats
    return {cause: sum(getattr(stats, name).get() for name in names) for cause, names in _COUNTERS.items()}


def _ask_early(name: str) -> None:
    """Have Ray start the process behind a shard, which it does when it is first asked, beside what comes before."""
    threading.Thread(target=ray.train.get_dataset_shard, args=(name,), name=f"shard-{name}", daemon=True).start()
