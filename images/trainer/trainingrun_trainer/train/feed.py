"""Feeds one rank: its share of each epoch in batches, in step with the other ranks, counting which rows are used."""

from __future__ import annotations

import functools
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import torch

from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import HAND_OVER_ROWS, Consumed
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.table_notes import bad_of, vanished_of, without_notes
from trainingrun_trainer.hooks import hook_of
from trainingrun_trainer.pool.tasks import PassKey
from trainingrun_trainer.train.batch_maker import Batch
from trainingrun_trainer.train.beside import Beside
from trainingrun_trainer.train.dealing import wanted_rows
from trainingrun_trainer.train.device_link import link_to
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.supply import Agreement, Supply

__all__ = ["Batch", "Feed", "Turn"]

_VALIDATION = Epoch(0, 0, shuffle=False)


@dataclass(frozen=True)
class Turn:
    """What one step has to work with. `batch` is None when only other ranks have rows in it.

    `causes` are the seconds that this rank has waited so far in this pass, by cause.
    """

    batch: Batch | None
    agreement: Agreement
    is_first: bool
    causes: dict[str, float]


class PassRows(Protocol):
    """A rank's rows of one pass. `waited` are the seconds for which they have kept it waiting, by cause."""

    waited: dict[str, float]

    def tables(self) -> Iterator[pa.Table]:
        """The tables, in the pass's order. Raises what has kept one from being made, in its place."""


class Rows(Protocol):
    """Where a rank's rows come from."""

    def begin(self, key: PassKey, epoch: Epoch, consumed: bytes, ahead: tuple[tuple[PassKey, Epoch], ...]) -> None:
        """All ranks begin with a pass, without the rows that are `consumed`; those `ahead` are likely to follow it."""

    def of(self, key: PassKey) -> PassRows:
        """The rows of a pass, which may not have begun."""


class Feed:
    """A rank's data: `rows`, which are fetched and made into batches `beside` training, by default in threads.

    `consumed` are the rows of the current epoch that this rank has used and not yet handed over. `bad_rows` counts the
    rows that were left out of the last pass, on all ranks: as many as `consumed` has of them, all ranks together.
    `is_stopped` says that the pass ended because ranks were asked to stop while they waited for rows.
    """

    def __init__(
        self,
        recipe: Recipe,
        rows: Rows,
        lockstep: Lockstep,
        device: torch.device,
        *,
        generation: int,
        beside: Beside | None = None,
    ):
        self.consumed = Consumed()
        self.bad_rows = 0
        self.is_stopped = False
        self._recipe = recipe
        self._rows = rows
        self._beside = beside
        self._lockstep = lockstep
        self._generation = generation
        self._passes: Counter[str] = Counter()
        self._link = link_to(device)
        hook, dataset = recipe.collate, recipe.dataset
        required = (*dataset.inputs, *dataset.targets)
        self._collate = Collate(hook_of("spec.recipe.collate", hook, "collate")) if hook else Collate(required=required)

    def train(self, epoch: int, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        """The rows of `epoch` that are not consumed, a batch each turn. All ranks get equally many turns.

        `must_stop` is asked before each turn; what rank 0's says is in every rank's agreement.
        """
        key = self._next_pass("train")
        ahead = []
        if self._recipe.dataset.validation is not None:
            ahead.append((self._following("validation"), _VALIDATION))
        if epoch + 1 < self._recipe.epochs:
            ahead.append((self._following("train"), self._epoch(epoch + 1)))
        consumed = self.consumed.to_bytes() if self.consumed.rows() else b""
        yield from self._pass(key, self._epoch(epoch), consumed, tuple(ahead), must_stop)
        if not self.is_stopped:
            self.consumed = Consumed()

    def validation(self, must_stop: Callable[[], bool]) -> Iterator[Turn]:
        """One pass over the validation data; each row once, and equally many turns on all ranks, as in `train`."""
        return self._pass(self._next_pass("validation"), _VALIDATION, b"", (), must_stop)

    def account(self) -> Consumed:
        """What a checkpoint must hold of this rank's `consumed`. Collective."""
        self.consumed = handed_over(self.consumed, self._lockstep)
        return self.consumed

    def drain(self) -> None:
        """Wait until the device has computed all that it was given."""
        self._link.drain()

    def _pass(
        self,
        key: PassKey,
        epoch: Epoch,
        consumed: bytes,
        ahead: tuple[tuple[PassKey, Epoch], ...],
        must_stop: Callable[[], bool],
    ) -> Iterator[Turn]:
        recipe = self._recipe
        rows = self._rows.of(key)
        missing = _Missing()

        def tables() -> Iterator[pa.Table]:
            # In the thread that fetches, so that all that it takes to get the first rows is waiting for data.
            if self._lockstep.rank == 0:
                # The others may ask before: they are answered once this has come.
                self._rows.begin(key, epoch, consumed, ahead)
            yield from map(missing.told_by, rows.tables())

        supply = Supply(
            tables,
            wanted=functools.partial(
                wanted_rows, recipe.global_batch_size, recipe.gradient_accumulation_steps, self._lockstep.world_size
            ),
            prefetch_batches=recipe.dataset.prefetch_batches,
            lockstep=self._lockstep,
            collate=self._collate,
            link=self._link,
            beside=self._beside,
            count_bad=missing.count_bad,
        )
        is_first, rows_since = True, 0
        for portion in supply.steps(must_stop):
            self.bad_rows = supply.bad_rows
            if key.dataset == "train":
                # Counted before the step: a checkpoint within the step's turn must include its rows.
                self.consumed.add(np.concatenate([portion.ids, *missing.counted()]))
                rows_since += portion.agreement.total_rows
                if rows_since >= HAND_OVER_ROWS:
                    self.account()
                    rows_since = 0
            causes = {**_by_cause(supply.waited_for_rows, rows.waited), "Collate": supply.waited_for_collate}
            yield Turn(portion.batch, portion.agreement, is_first, causes)
            is_first = False
        self.bad_rows, self.is_stopped = supply.bad_rows, supply.is_stopped
        if key.dataset == "train":
            for ids in missing.counted():
                self.consumed.add(ids)

    def _epoch(self, number: int) -> Epoch:
        return Epoch(number, self._recipe.seed, shuffle=self._recipe.dataset.shuffle)

    def _next_pass(self, dataset: str) -> PassKey:
        """Counted alike on all ranks, which make the same passes."""
        key = self._following(dataset)
        self._passes[dataset] += 1
        return key

    def _following(self, dataset: str) -> PassKey:
        return PassKey(self._generation, dataset, self._passes[dataset])


class _Missing:
    """Rows that tables tell of and do not have: making them again would give nothing again, so that they are used.

    They count as the ranks report to each other, so that the account and the number of bad ones are of one moment.
    """

    def __init__(self) -> None:
        self._told: deque[tuple[np.ndarray, np.ndarray]] = deque()
        self._counted: list[np.ndarray] = []
        self._bad = 0

    def told_by(self, table: pa.Table) -> pa.Table:
        """The table without what it tells. Called in the thread that fetches."""
        self._told.append((vanished_of(table), bad_of(table)))
        return without_notes(table)

    def count_bad(self) -> int:
        """Count all that was told by now: how many bad rows there were in this pass."""
        while self._told:
            vanished, bad = self._told.popleft()
            self._counted += [vanished, bad]
            self._bad += len(bad)
        return self._bad

    def counted(self) -> list[np.ndarray]:
        """The ids that were counted since the last call."""
        counted, self._counted = self._counted, []
        return counted


def _by_cause(seconds: float, waited: Mapping[str, float]) -> dict[str, float]:
    """`seconds` of waiting for rows, in the proportion in which the thread that fetches them has waited itself."""
    total = sum(waited.values())
    return {cause: seconds * (each / total if total else cause == "Production") for cause, each in waited.items()}


def handed_over(consumed: Consumed, lockstep: Lockstep) -> Consumed:
    """What all ranks have used, on rank 0; the others then have nothing to account for. Collective.

    Of a piece that ranks have shared, only all of them together know whether it is finished: its bitmap ends here.
    """
    parts = lockstep.gather(consumed.to_bytes() if lockstep.rank else b"")
    if lockstep.rank:
        return Consumed()
    for part in filter(None, parts):
        consumed.merge(Consumed.from_bytes(part))
    return consumed
