"""However the rows of a step are dealt over ranks and micro-batches, the weights are those of one process alone."""

from __future__ import annotations

from typing import Any

import offline
import offline_parts
import pytest
import torch
from offline_parts import Plan, evenly, recipe

ALONE = evenly(offline_parts.ROWS, 8)


def dealt(world: int, accumulation: int) -> list[list[list[int]]]:
    """The rows of ALONE's steps in micro-batches, unevenly over ranks, of which one in three leaves ranks without."""
    turns = []
    for number, (step,) in enumerate(ALONE):
        for at in range(accumulation):
            part = step[at::accumulation]
            with_rows = 1 if (number + at) % 3 == 1 else min(world, len(part))
            by_rank = [part[: len(part) - with_rows + 1], *([row] for row in part[len(part) - with_rows + 1 :])]
            by_rank += [[]] * (world - with_rows)
            turns.append(by_rank[number % world :] + by_rank[: number % world])
    return turns


def weights_alone(**changes: Any) -> dict[str, torch.Tensor]:
    news = offline.train(Plan(recipe(**changes), ALONE))
    return offline_parts.loaded(news.saved[-1])["model"]


def check(world: int, accumulation: int, turns: list[list[list[int]]], before: Any = None, **changes: Any) -> None:
    plan = Plan(
        recipe(gradientAccumulationSteps=accumulation, globalBatchSize=36, **changes),
        turns,
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


def compile_by_wrapping() -> None:
    """As torch.compile does: what it returns is no DDP."""
    torch.compile = Compiled  # type: ignore[assignment,misc]


class Compiled(torch.nn.Module):
    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self._orig_mod = module

    def forward(self, *inputs: Any) -> Any:
        return self._orig_mod(*inputs)


def allow_synced() -> None:
    """The tests' SyncBatchNorm works on the CPU."""
    from trainingrun_trainer.train import learner

    learner.check_synced = lambda *_: None
    torch.nn.parallel.DistributedDataParallel._passing_sync_batchnorm_handle = lambda *_: None


def scale_gradients() -> None:
    """As on a GPU with FP16."""
    from trainingrun_trainer.train import learner

    learner.autocast_type = lambda *_: torch.float16


LOSS = {"function": "offline_hooks:Margin"}
SEVERAL: dict[str, Any] = {
    "model": {"function": "offline_hooks:SeveralOutputs"},
    "loss": {"function": "offline_hooks:first_of_several"},
    "metrics": [],
}
SPARSE: dict[str, Any] = {
    "model": {"function": "offline_hooks:sparse_model"},
    "optimizer": {"function": "torch.optim:SGD", "parameters": {"lr": 0.5}},
}
CASES = [
    pytest.param({}, None, id="plain"),
    pytest.param({"model": {"function": "offline_hooks:UnusedHead"}}, find_unused, id="unused"),
    pytest.param(SEVERAL, None, id="outputs"),
    pytest.param({"loss": LOSS}, None, id="loss"),
    pytest.param({"trainStep": {"function": "offline_hooks:step"}}, None, id="trainStep"),
    pytest.param({"model": {"function": "offline_hooks:Wrapped"}}, None, id="module"),
    pytest.param({"maxGradNorm": 0.1}, None, id="clipped"),
    pytest.param(SPARSE, None, id="sparse"),
    pytest.param({}, scale_gradients, id="scaled"),
    pytest.param({"torchCompile": True}, compile_by_wrapping, id="compiled"),
]


@pytest.mark.parametrize(("changes", "before"), CASES)
@pytest.mark.parametrize(
    ("world", "accumulation"),
    [
        pytest.param(2, 2, marks=pytest.mark.extended),
        (3, 1),
        pytest.param(3, 3, marks=pytest.mark.extended),
    ],
)
def test_like_one_process(
    monkeypatch: pytest.MonkeyPatch, world: int, accumulation: int, changes: dict[str, Any], before: Any
) -> None:
    monkeypatch.setattr(torch, "compile", Compiled)
    check(world, accumulation, dealt(world, accumulation), before, **changes)


def test_batch_norm_over_all_ranks_is_that_of_one_process_and_waits_for_no_rank_without_rows() -> None:
    plan = Plan(recipe(model={"function": "offline_hooks:synced_model"}, globalBatchSize=9), dealt(3, 1))
    outcomes = offline.ranks(3, plan, allow_synced)
    assert not any(outcome.error for outcome in outcomes), outcomes[0].error
    alone = weights_alone(model={"function": "offline_hooks:normalised_model"})
    for outcome in outcomes[:1]:
        for name, value in alone.items():
            torch.testing.assert_close(outcome.weights[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_an_overflow_on_one_rank_costs_all_ranks_the_step(accumulation: int) -> None:
    """Also in the short last step of an epoch, whose gradients no hook of DDP exchanges."""
    turns = [[turn[0][:4], turn[0][4:]] for turn in evenly(20, 8)] * accumulation
    turns.append([[20], [21]])
    model = {"function": "offline_hooks:HalfOnRank1"}
    changes: dict[str, Any] = {"model": model, "globalBatchSize": 24, "gradientAccumulationSteps": accumulation}
    one, other = offline.ranks(2, Plan(recipe(epochs=8, **changes), turns), scale_gradients)
    assert not one.error, one.error
    assert all(bool(torch.isfinite(value).all()) for value in one.weights.values())
    for name, value in one.weights.items():
        assert torch.equal(value, other.weights[name]), name
    steps_per_epoch = -(-len(turns) // accumulation)
    taken = [epoch["step"] for epoch in one.news.epochs]
    assert 0 < taken[-1] < 8 * steps_per_epoch
    assert taken[-1] - taken[-2] == steps_per_epoch, "the scale has settled"
    assert any("overflowed in FP16" in notice for notice in one.news.notices)


def test_statistics_are_rank_0s_when_they_are_validated_and_saved() -> None:
    validated = {"dataset": offline_parts.VALIDATED, "evalStep": {"function": "offline_hooks:running_mean"}}
    turns = [[turn[0][:3], turn[0][3:]] for turn in evenly(16, 8)]
    plan = Plan(
        recipe(model={"function": "offline_hooks:normalised_model"}, epochs=1, **validated),
        turns,
        validation=[[[], [0, 1]]],
    )
    one, other = offline.ranks(2, plan)
    assert not one.error, one.error
    saved = offline_parts.loaded(one.news.saved[-1])["model"]
    assert one.news.epochs[0]["metrics"]["validation_loss"] == pytest.approx(float(saved["0.running_mean"].sum()))
    assert torch.equal(other.weights["0.running_mean"], saved["0.running_mean"])
    assert int(saved["0.num_batches_tracked"]) == 2


def test_metrics_are_known_from_any_rank_that_has_had_rows() -> None:
    turns = [[[], turn[0]] for turn in evenly(offline_parts.ROWS, 8)]
    one, _ = offline.ranks(2, Plan(recipe(), turns))
    assert not one.error, one.error
    alone = offline.train(Plan(recipe(), ALONE))
    for epoch, expected in zip(one.news.epochs, alone.epochs, strict=True):
        assert epoch["metrics"] == pytest.approx(expected["metrics"], rel=1e-4)
