"""What a run starts from is a place that its trainers can read, whoever has said where it is."""

from __future__ import annotations

from typing import Any

import pytest
from run_samples import run_of

from trainingrun_trainer.driver.shape import storage_of
from trainingrun_trainer.train.initial import Initial, initial_of

CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}
RUN, URI = "spec.recipe.initialCheckpoint.run", "spec.recipe.initialCheckpoint.uri"
SAID = {"TRAININGRUN_INITIAL_CHECKPOINT": "pvc://models/0a1b"}


@pytest.mark.parametrize(
    ("initial", "storage", "environment", "expected"),
    [
        (None, {}, {}, None),
        ({"run": "first"}, {}, {}, Initial("s3://bucket/runs/first", False, RUN)),
        ({"run": "first", "what": "All"}, {}, {}, Initial("s3://bucket/runs/first", True, RUN)),
        ({"run": "first"}, {"storage": CLAIM}, SAID, Initial("/mnt/models/0a1b", False, RUN)),
        ({"run": "first"}, {"storage": CLAIM}, {}, Initial("/mnt/models/first", False, RUN)),
        ({"uri": "pvc://models/a/best"}, {"storage": CLAIM}, {}, Initial("/mnt/models/a/best", False, URI)),
        ({"uri": "s3://other/w.pt"}, {"storage": CLAIM}, {}, Initial("s3://other/w.pt", False, URI)),
    ],
)
def test_the_place_is(
    initial: Any, storage: dict[str, Any], environment: dict[str, str], expected: Initial | None
) -> None:
    given = {"initialCheckpoint": initial} if initial else {}
    run = run_of(recipe={"dataset": {"train": {"format": "Parquet", "path": "/data"}}, **given}, **storage)
    assert initial_of(run, storage_of(run), environment) == expected
