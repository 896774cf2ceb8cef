"""A metric that is watched and not reported is refused before anything is trained for nothing."""

from __future__ import annotations

from typing import Any

import offline
import pytest
from offline_parts import VALIDATED, News, Plan, evenly, recipe

from trainingrun_trainer.failures.errors import InvalidConfiguration

BEST = {"best": {"metric": "validation_auc"}}
STOPPING = {"earlyStopping": {"metric": "validation_auc", "patience": 1}}


@pytest.mark.parametrize(("checkpoints", "changes"), [(BEST, {}), ({}, STOPPING)])
@pytest.mark.parametrize(
    ("step", "reported"), [({}, "validation_mean_output"), ({"evalStep": {"function": "offline_hooks:zero"}}, "")]
)
def test_it_is_refused_at_the_first_step(
    checkpoints: dict[str, Any], changes: dict[str, Any], step: dict[str, Any], reported: str
) -> None:
    news = News()
    watching = Plan(
        recipe(dataset=VALIDATED, **changes, **step), evenly(22, 8), checkpoints=checkpoints, validation=[[[0, 1]]]
    )
    with pytest.raises(InvalidConfiguration, match=f'no metric "validation_auc".*validation_loss.*{reported}'):
        offline.train(watching, news)
    assert not news.saved and not news.epochs
