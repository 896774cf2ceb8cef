"""A run that is resumed trains what an unbroken one does, also from what an earlier version has saved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import offline
import offline_parts
import pytest
import torch
from offline_epochs import assert_same_model, plan

pytestmark = pytest.mark.usefixtures("nothing_is_tried_before")


def test_a_resumed_run_trains_what_an_unbroken_one_does() -> None:
    scheduler = {"function": "torch.optim.lr_scheduler:StepLR", "parameters": {"step_size": 1, "gamma": 0.5}}
    steady = plan({"everySteps": 1}, scheduler=scheduler, loss={"function": "offline_hooks:Margin"})
    whole = offline.train(steady)
    for start in whole.saved:
        resumed = offline.train(steady, start=start)
        last = resumed.saved[-1] if resumed.saved else start
        assert_same_model(last, whole.saved[-1])
        assert offline_parts.loaded(last)["loss"]["scale"].tolist() == pytest.approx(
            offline_parts.loaded(whole.saved[-1])["loss"]["scale"].tolist()
        )


def test_a_checkpoint_from_before_there_were_sums_still_loads() -> None:
    whole = offline.train(plan())
    start = whole.saved[0]
    state = offline_parts.loaded(start)
    for name in ("loss", "epoch", "early_stopping"):
        del state[name]
    start.turn = 0
    start.position.epoch, start.position.epoch_step = 1, 0
    assert [epoch["epoch"] for epoch in offline.train(plan(), start=rewritten(start, state)).epochs] == [1]


def rewritten(checkpoint: SimpleNamespace, state: dict[str, Any]) -> SimpleNamespace:
    import io

    file = io.BytesIO()
    torch.save(state, file)
    return SimpleNamespace(state=file.getvalue(), position=checkpoint.position, turn=checkpoint.turn)
