"""What each process of test_lockstep.py runs: ranks that talk over gloo, as they do in a training."""

from __future__ import annotations

import json
from pathlib import Path

import torch.distributed as dist
from block_samples import block

from trainingrun_trainer.data.batches import Collate
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.train.dealing import wanted_rows
from trainingrun_trainer.train.device_link import CpuLink
from trainingrun_trainer.train.feed import handed_over
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.supply import Supply


def main(rank: int, ranks: int, folder: Path) -> None:
    """Only rank 0 has rows; each rank writes down what it trains, and rank 0 the account of all."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks)
    lockstep = Lockstep(rank, ranks)
    supply = Supply(
        lambda: iter([block(250)] if rank == 0 else []),
        wanted=lambda step: wanted_rows(32, 1, ranks, step),
        prefetch_batches=2,
        lockstep=lockstep,
        collate=Collate(),
        link=CpuLink(),
    )
    consumed = Consumed()
    steps = []
    for portion in supply.steps(lambda: False):
        assert portion.batch is not None
        assert portion.batch["image"].shape == (len(portion.ids), 4, 6)
        consumed.add(portion.ids)
        steps.append(portion.batch["label"].tolist())
    used = handed_over(consumed, lockstep)
    (folder / f"rank-{rank}.json").write_text(json.dumps({"steps": steps, "used": used.rows()}))
    dist.destroy_process_group()
