"""Warnings that bear on a result reach the run's author; others stay where they were."""

from __future__ import annotations

import warnings

import offline
import offline_parts
import torch
from offline_parts import Plan, evenly, recipe

from trainingrun_trainer.train.notices import WarningsToNotices

BROADCASTING = "Using a target size (torch.Size([8])) that is different to the input size"


def test_each_once_and_others_as_before() -> None:
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with WarningsToNotices() as notices:
            for _ in range(3):
                torch.nn.functional.mse_loss(torch.zeros(2, 1), torch.zeros(2))
            warnings.warn("nothing to do with results", stacklevel=1)
            first = notices.drain()
            torch.nn.functional.mse_loss(torch.zeros(2, 1), torch.zeros(2))
            assert notices.drain() == []
    assert len(first) == 1 and first[0].startswith("Using a target size")
    assert [str(warning.message) for warning in others] == ["nothing to do with results"]


def test_also_where_a_users_module_has_silenced_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with WarningsToNotices() as notices:
            torch.nn.functional.mse_loss(torch.zeros(2, 1), torch.zeros(2))
        assert len(notices.drain()) == 1


def test_warnings_go_their_usual_way_afterwards() -> None:
    with WarningsToNotices() as notices:
        pass
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(BROADCASTING, stacklevel=1)
    assert (len(caught), notices.drain()) == (1, [])


def test_what_was_told_already_is_left_out() -> None:
    with WarningsToNotices() as notices:
        notices.leave_out([f"spec.recipe.loss: {BROADCASTING}"])
        warnings.warn(BROADCASTING, stacklevel=1)
    assert notices.drain() == []


def test_a_training_tells_them_once() -> None:
    training = Plan(recipe(trainStep={"function": "offline_hooks:broadcasting"}), evenly(offline_parts.ROWS, 8))
    news = offline.train(training)
    assert sum(notice.startswith("Using a target size (torch.Size([8]))") for notice in news.notices) == 1
