"""However the rows of a step are dealt over ranks and micro-batches, the weights are those of one process alone."""

from __future__ import annotations

from typing import Any

import offline
import pytest
import torch
from offline import Plan, evenly, recipe

ALONE = evenly(offline.ROWS, 8)


def dealt(world: int, accumulation: int) -> list[list[list[int]]]:
    """The rows of ALONE's steps in micro-batches, unevenly over ranks; the last step leaves ranks without rows."""
    turns = []
    for (step,) in ALONE:
        parts = [step[at::accumulation] for at in range(accumulation)]
        for at, part in enumerate(parts):
            if not part:
                continue
            cut = max(1, len(part) - world + 1) if len(part) >= world else len(part)
            by_rank = [part[:cut], *([row] for row in part[cut:])]
            by_rank += [[]] * (world - len(by_rank))
            turns.append(by_rank[at % world :] + by_rank[: at % world])
    return turns


def weights_alone(**changes: Any) -> dict[str, torch.Tensor]:
    news = offline.train(Plan(recipe(**changes), ALONE))
    return offline.loaded(news.saved[-1])["model"]


def check(world: int, accumulation: int, turns: list[list[list[int]]], before: Any = None, **changes: Any) -> None:
    plan = Plan(
        recipe(gradientAccumulationSteps=accumulation, globalBatchSize=24, **changes),
        turns,
        batch_rows=8 // accumulation,
    )
    outcomes = offline.ranks(world, plan, before)
    assert not any(outcome.error for outcome in outcomes), outcomes[0].error
    alone = weights_alone(**changes)
    for outcome in outcomes:
        assert outcome.weights.keys() == alone.keys()
        for name, value in alone.items():
            torch.testing.assert_close(outcome.weights[name], value, rtol=1e-4, atol=1e-6, msg=name)


def find_unused() -> None:
    """What the dry run finds for `UnusedHead`."""
    from trainingrun_trainer.train import dry_run, learner

    findings = dry_run.Findings(unused_parameters=("head.weight", "head.bias"))
    learner.dry_run = lambda *_, **__: findings


LOSS = {"function": "offline_hooks:Margin"}
SEVERAL: dict[str, Any] = {
    "model": {"function": "offline_hooks:SeveralOutputs"},
    "loss": {"function": "offline_hooks:first_of_several"},
    "metrics": [],
}


def test_three_ranks_of_which_some_have_no_rows() -> None:
    check(3, 1, dealt(3, 1))


CASES = [
    pytest.param({}, None, id="plain"),
    pytest.param({"model": {"function": "offline_hooks:UnusedHead"}}, find_unused, id="unused"),
    pytest.param(SEVERAL, None, id="outputs"),
    pytest.param({"loss": LOSS}, None, id="loss"),
    pytest.param({"trainStep": {"function": "offline_hooks:step"}}, None, id="trainStep"),
    pytest.param({"model": {"function": "offline_hooks:Wrapped"}}, None, id="module"),
    pytest.param({"maxGradNorm": 0.1}, None, id="clipped"),
    pytest.param(
        {
            "model": {"function": "offline_hooks:sparse_model"},
            "optimizer": {"function": "torch.optim:SGD", "parameters": {"lr": 0.5}},
        },
        None,
        id="sparse",
    ),
]


@pytest.mark.extended
@pytest.mark.parametrize(("changes", "before"), CASES)
@pytest.mark.parametrize(("world", "accumulation"), [(2, 2), (3, 1), (3, 3)])
def test_like_one_process(world: int, accumulation: int, changes: dict[str, Any], before: Any) -> None:
    check(world, accumulation, dealt(world, accumulation), before, **changes)
