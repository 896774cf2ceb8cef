"""What a run that has no checkpoint of its own starts from, as its driver tells every rank.

Loading this must load no torch: Ray Train's controller loads it too. It opens nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainingrun.contract.variables import INITIAL_CHECKPOINT
from trainingrun.spec import Run
from trainingrun.spec.initial_checkpoint import CLAIM_SCHEME
from trainingrun_trainer.storage import RunStorage


@dataclass(frozen=True)
class Initial:
    """`location` is a folder or file that ranks can read, `field` the field that names it.

    With `is_all`, more than the weights is taken: see the field `what`.
    """

    location: str
    is_all: bool
    field: str


def initial_of(run: Run, storage: RunStorage, environment: Mapping[str, str] = os.environ) -> Initial | None:
    """What `run` starts from, whose folder is `storage`; None for the beginning.

    Where no operator has said where the named run's folder is, it is the one of that name beside the run's own.
    """
    recipe = run.spec.recipe
    wanted = recipe.initial_checkpoint if recipe is not None else None
    if wanted is None:
        return None
    beside = f"{storage.root.rstrip('/')}/{wanted.run}"
    location = wanted.uri or environment.get(INITIAL_CHECKPOINT) or beside
    claim = run.spec.storage.persistent_volume_claim
    if location.startswith(CLAIM_SCHEME) and claim is not None:
        location = f"{claim.mount_path}/{location.removeprefix(f'{CLAIM_SCHEME}{claim.claim_name}/')}"
    if "://" not in location:
        location = str(Path(location).absolute())
    return Initial(location, wanted.what == "All", wanted.field)
