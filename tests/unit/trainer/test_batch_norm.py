"""Batch norm learns from whatever has more than one value per channel, and never ends a run."""

from __future__ import annotations

from typing import Any

import offline
import offline_parts
import pytest
import torch
from offline_parts import News, Plan, evenly, recipe
from torch import nn

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.normalisation import BatchNorms, check_synced


def trained(channels: int, batch: int, news: News | None = None) -> dict[str, torch.Tensor]:
    news = news or News()
    model = {"function": "offline_hooks:Normalised", "parameters": {"channels": channels}}
    offline.train(Plan(recipe(model=model, epochs=1, globalBatchSize=batch), evenly(5, batch)), news)
    state: dict[str, torch.Tensor] = offline_parts.loaded(news.saved[-1])["model"]
    return state


def test_one_row_of_several_values_per_channel_is_learnt_from() -> None:
    state = trained(channels=1, batch=1)
    assert int(state["norm.num_batches_tracked"]) == 5
    assert float(state["norm.running_mean"].abs().sum()) > 0


def test_one_row_of_one_value_per_channel_is_not_and_others_are() -> None:
    news = News()
    state = trained(4, 2, news)
    assert int(state["norm.num_batches_tracked"]) == 2  # of three steps, the last of which has one row
    assert not any("has learnt nothing" in notice for notice in news.notices)
    assert int(trained(4, 1, news)["norm.num_batches_tracked"]) == 0
    assert any("has learnt nothing: norm;" in notice for notice in news.notices)


@pytest.mark.parametrize(
    ("layer", "rows", "single"),
    [
        (nn.BatchNorm2d(3), torch.randn(1, 3, 1, 1), True),
        (nn.BatchNorm2d(3), torch.randn(1, 3, 2, 2), False),
        (nn.BatchNorm1d(3), torch.randn(1, 3), True),
        (nn.BatchNorm1d(3), torch.randn(1, 3, 7), False),
    ],
)
def test_what_counts_is_the_values_per_channel(layer: Any, rows: torch.Tensor, single: bool) -> None:
    model = nn.Sequential(layer)
    norms = BatchNorms(model, Lockstep(0, 1))
    with norms.during(1, (0,)):
        model(rows)
    assert (int(layer.num_batches_tracked), layer.training) == (0 if single else 1, True)
    assert norms.frozen == ({"0"} if single else set())


def test_a_layer_that_its_author_has_frozen_stays_frozen() -> None:
    layer = nn.BatchNorm1d(3)
    model = nn.Sequential(layer)
    layer.eval()
    norms = BatchNorms(model, Lockstep(0, 1))
    with norms.during(1, (0,)):
        model(torch.randn(1, 3, 7))
    assert (int(layer.num_batches_tracked), layer.training, norms.frozen) == (0, False, set())


def test_a_layer_is_as_before_when_the_step_fails() -> None:
    layer = nn.BatchNorm1d(3)
    norms = BatchNorms(nn.Sequential(layer), Lockstep(0, 1))
    with pytest.raises(ValueError), norms.during(1, (0,)):
        layer(torch.randn(1, 3))
        raise ValueError
    assert layer.training
    assert not layer._forward_pre_hooks


def test_synchronised_batch_norm_is_refused_where_it_would_fail_or_hang() -> None:
    model = nn.Sequential(nn.SyncBatchNorm(3))
    check_synced(model, 1, torch.device("cpu"))
    check_synced(model, 2, torch.device("cuda"))
    with pytest.raises(InvalidConfiguration, match="with 2 processes; allowed: BatchNorm"):
        check_synced(model, 2, torch.device("cpu"))
    model[0].process_group = object()
    with pytest.raises(InvalidConfiguration, match="process group of its own"):
        check_synced(model, 2, torch.device("cuda"))
