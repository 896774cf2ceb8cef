"""What the tests of Saver share: who writes, the names of checkpoints, saving at a step, and damage."""

from __future__ import annotations

from typing import Any

import torch
from checkpoint_samples import consumed_by, get, put

from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpoint_book import Writer
from trainingrun_trainer.train.checkpoint_files import STATE_FILE, Position
from trainingrun_trainer.train.checkpointing import Saver

CPU = torch.device("cpu")


FIRST_WRITER = Writer(attempt=1, generation=1)


FIRST, SECOND = "step-00000010-e00000a0g1", "step-00000020-e00000a0g1"


def save_at(saver: Saver, step: int, *, best: bool = False, loss: float = 0.5) -> dict[str, Any]:
    state = {"model": torch.full((4,), step)}
    return saver.save(state, Position(step=step, epoch_step=step), consumed_by(0), {"loss": loss}, best=best)


def damage(storage: RunStorage, name: str) -> None:
    content = get(storage, f"{name}/{STATE_FILE}")
    put(storage, f"{name}/{STATE_FILE}", content[:-1] + bytes([content[-1] ^ 1]))
