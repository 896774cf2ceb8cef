"""Which files make a checkpoint of a run, and what they must be, by what the trainer has written beside them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from trainingrun.contract.checkpoints import BEST_METRICS, MANIFEST, in_order, step_of
from trainingrun.transfer.downloading import Wanted
from trainingrun.transfer.places import TransferError

# What says how large each file is and what its digest is, in a checkpoint and in the copy of the best one.
SAYING = (MANIFEST, BEST_METRICS)


def chosen_step(folders: Sequence[str], step: int, where: str) -> str:
    """The checkpoint of this step, the newest of several. Raises `TransferError` where there is none."""
    found = [name for name in in_order(list(folders)) if step_of(name) == step]
    if found:
        return found[0]
    steps = sorted({known for name in folders if (known := step_of(name)) is not None})
    there = f"there are steps {', '.join(map(str, steps))}" if steps else "there is no checkpoint"
    raise TransferError(f"{where} has no checkpoint of step {step}; {there}.")


def wanted_files(sizes: Mapping[str, int], said: bytes, saying: str | None, where: str) -> list[Wanted]:
    """The files of a checkpoint, with what `said`, the content of the file `saying`, tells of them; that one last.

    Its own bytes are what came. Raises `TransferError` for a checkpoint that is not whole.
    """
    if saying is None:
        raise TransferError(f"{where} is not whole: neither {MANIFEST} nor {BEST_METRICS} is there.")
    try:
        told = {name: (entry["bytes"], entry["sha256"]) for name, entry in json.loads(said).get("files", {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TransferError(f"{where} is damaged: {saying} cannot be read.") from error
    for name, (size, _) in told.items():
        if sizes.get(name) != size:
            found = f"{sizes[name]} bytes" if name in sizes else "nothing"
            raise TransferError(f"{where} is damaged: {name} has {found}, not {size} bytes.")
    others = [name for name in sizes if name != saying]
    files = [Wanted(name, sizes[name], told[name][1] if name in told else None) for name in others]
    return [*files, Wanted(saying, sizes[saying])]
