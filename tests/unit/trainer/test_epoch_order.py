"""An epoch that is trained is not lost to what comes after it: it is saved first, and resumed where it stopped."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace
from typing import Any

import offline
import offline_hooks
import offline_parts
import pytest
import torch
from offline_epochs import VALIDATION, assert_same_model, plan, steps
from offline_parts import VALIDATED, News

from trainingrun_trainer.failures.errors import InvalidConfiguration, UserCodeError

pytestmark = pytest.mark.usefixtures("nothing_is_tried_before")


def test_each_epoch_is_saved_before_validation_and_the_end_once_more() -> None:
    news = offline.train(plan())
    assert steps(news) == [(0, 3), (1, 6), (2, 6)]
    assert [kind for kind, _ in news.told if kind in ("CheckpointSaved", "EpochEnded")] == [
        "CheckpointSaved",
        "EpochEnded",
        "CheckpointSaved",
        "EpochEnded",
        "CheckpointSaved",
    ]
    assert news.epochs[0]["metrics"].keys() == {"loss", "mean_output", "validation_loss", "validation_mean_output"}


def test_a_mistake_in_validation_costs_no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    news = News()
    with pytest.raises(UserCodeError, match="the metric's mistake"):
        offline.train(plan(metrics=[{"function": "offline_hooks:broken"}]), news)
    assert steps(news) == [(0, 3)]

    monkeypatch.setattr(offline_hooks, "broken", offline_hooks.mean_output)
    resumed = offline.train(plan(metrics=[{"function": "offline_hooks:broken"}]), start=news.saved[-1])
    whole = offline.train(plan(metrics=[{"function": "offline_hooks:broken"}]))
    assert [epoch["epoch"] for epoch in resumed.epochs] == [0, 1]
    for one, other in zip(resumed.epochs, whole.epochs, strict=True):
        assert one["metrics"] == pytest.approx(other["metrics"])
    assert_same_model(resumed.saved[-1], whole.saved[-1])


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_epoch_resumed_anywhere_has_the_metrics_of_all_its_rows(at: int) -> None:
    checkpoints = {"everySteps": 1, "best": {"metric": "loss", "mode": "Min"}}
    whole = offline.train(plan(checkpoints))
    start = next(saved for saved in whole.saved if saved.position.step == at)
    resumed = offline.train(plan(checkpoints), start=start)
    for one, other in zip(resumed.epochs, whole.epochs, strict=True):
        assert one["metrics"] == pytest.approx(other["metrics"])


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
def test_bad_rows_are_those_of_the_steps_that_a_checkpoint_has_wherever_a_run_is_resumed(at: int) -> None:
    skipping = {**VALIDATED, "onBadRow": {"action": "Skip"}}
    training = dataclasses.replace(plan({"everySteps": 1}, dataset=skipping), bad_rows=2)
    whole = offline.train(training)
    start = next(saved for saved in whole.saved if saved.position.step == at)
    assert start.position.bad_rows == 2 * at
    resumed = offline.train(training, start=start)
    assert [news.published[-1]["bad_rows"] for news in (whole, resumed)] == [12, 12]
    assert offline.train(plan()).published[-1]["bad_rows"] is None


def test_a_stop_is_heard_within_validation() -> None:
    news = News()
    seen = []

    def evaluate(model: Any, batch: dict[str, torch.Tensor], session: Any) -> torch.Tensor:
        seen.append(len(batch["label"]))
        news.must_stop = lambda: True
        return torch.zeros(())

    offline_hooks.evaluate = evaluate  # type: ignore[attr-defined]
    stopping = plan(evalStep={"function": "offline_hooks:evaluate"})
    offline.train(stopping, news)
    assert seen == [3]
    assert (steps(news), news.epochs) == ([(0, 3)], [])

    news.must_stop = lambda: False
    offline_hooks.evaluate = lambda *_: torch.zeros(())  # type: ignore[attr-defined]
    resumed = offline.train(stopping, start=news.saved[-1])
    assert [epoch["epoch"] for epoch in resumed.epochs] == [0, 1]


def test_a_stop_saves_an_epoch_that_would_not_have_been_saved() -> None:
    news = News()

    def evaluate(*_: Any) -> torch.Tensor:
        news.must_stop = lambda: True
        return torch.zeros(())

    offline_hooks.evaluate = evaluate  # type: ignore[attr-defined]
    offline.train(plan({"everyEpochs": 5}, evalStep={"function": "offline_hooks:evaluate"}), news)
    assert steps(news) == [(0, 3)]


@pytest.mark.parametrize(("every", "expected"), [(2, [1, 3, 4, 5]), (3, [2, 4, 5]), (10, [4, 5])])
def test_every_so_many_epochs_and_the_last(every: int, expected: list[int]) -> None:
    news = offline.train(plan({"everyEpochs": every}, epochs=5))
    assert [saved.position.epoch for saved in news.saved] == expected


def losses(monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    """Have validation report these losses, epoch by epoch."""
    said = iter(value for value in values for _ in VALIDATION)
    monkeypatch.setattr(offline_hooks, "evaluate", lambda *_: {"loss": torch.tensor(next(said))}, raising=False)


BEST = {"best": {"metric": "validation_loss", "mode": "Min"}}
EVALUATED: dict[str, Any] = {"evalStep": {"function": "offline_hooks:evaluate"}}


def test_the_best_is_the_model_that_was_validated_and_never_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, [math.nan, 2.0, 3.0, 1.0])
    news = offline.train(plan({**BEST, "everyEpochs": 2}, epochs=4, **EVALUATED))
    kept = [(news.saved[at].position.epoch, metrics["validation_loss"]) for at, metrics in news.best]
    assert kept == [(1, 2.0), (3, 1.0)]
    saved = [values for kind, values in news.told if kind == "CheckpointSaved"]
    assert [values["metrics"]["validation_loss"] for values in saved if values["best"]] == [2.0, 1.0]
    assert [values["best"] for values in saved] == [
        *(False, True),
        *(False, True),
        False,
    ]
    assert any("validation_loss is NaN" in notice for notice in news.notices)


def test_a_best_that_is_no_number_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, [5.0, 6.0])
    before = offline.train(plan(BEST, epochs=1, evalStep={"function": "offline_hooks:zero"}))
    losses(monkeypatch, [5.0, 6.0])
    start: SimpleNamespace = before.saved[0]
    start.position.best = math.nan
    news = offline.train(plan(BEST, **EVALUATED), start=start)
    assert [metrics["validation_loss"] for _, metrics in news.best] == [5.0]


def test_an_epoch_between_checkpoints_that_is_the_best_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, [1.0, 2.0, 3.0])
    news = offline.train(plan({**BEST, "everyEpochs": 3}, epochs=3, **EVALUATED))
    assert steps(news) == [(0, 3), (2, 9), (3, 9)]
    assert [at for at, _ in news.best] == [0]


def test_early_stopping_ends_as_complete_and_stays_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, [3.0, 2.0, 2.0, 1.9, 0.0])
    rule = {"metric": "validation_loss", "mode": "Min", "patience": 2, "minDelta": 0.5}
    stopping = plan(epochs=9, earlyStopping=rule, **EVALUATED)
    news = offline.train(stopping)
    assert [epoch["epoch"] for epoch in news.epochs] == [0, 1, 2, 3]
    assert steps(news)[-1] == (4, 12)
    assert sum("spec.recipe.earlyStopping" in notice for notice in news.notices) == 1

    again = offline.train(stopping, start=news.saved[-1])
    assert (again.epochs, again.saved) == ([], [])

    losses(monkeypatch, [0.0] * 9)
    longer = plan(epochs=6, earlyStopping={**rule, "patience": 9}, **EVALUATED)
    assert [epoch["epoch"] for epoch in offline.train(longer, start=news.saved[-1]).epochs] == [4, 5]


@pytest.mark.parametrize(
    ("checkpoints", "changes", "said"),
    [
        ({"best": {"metric": "auc"}}, {}, 'best.metric: there is no metric "auc"; this run reports loss, mean_output'),
        ({}, {"earlyStopping": {"metric": "validation_auc", "patience": 1}}, "earlyStopping.metric: .*validation_loss"),
    ],
)
def test_a_metric_that_nobody_reports_is_refused_at_the_first_step(
    checkpoints: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    news = News()
    with pytest.raises(InvalidConfiguration, match=said):
        offline.train(plan(checkpoints, **changes), news)
    assert not news.epochs


def test_a_metric_that_an_eval_step_lacks_costs_no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    losses(monkeypatch, [1.0, 1.0])
    news = News()
    with pytest.raises(InvalidConfiguration, match="this run reports loss, mean_output, validation_loss"):
        offline.train(plan({"best": {"metric": "validation_auc"}}, **EVALUATED), news)
    assert len(news.saved) <= 1


@pytest.mark.parametrize("interval", ["Epoch", "Step"])
def test_reduce_on_plateau_gets_a_loss(monkeypatch: pytest.MonkeyPatch, interval: str) -> None:
    losses(monkeypatch, [1.0] * 4)
    parameters = {"patience": 0, "factor": 0.5, "threshold": 100.0, "threshold_mode": "abs"}
    scheduler = {
        "function": "torch.optim.lr_scheduler:ReduceLROnPlateau",
        "parameters": parameters,
        "interval": interval,
    }
    news = offline.train(plan(scheduler=scheduler, epochs=4, **EVALUATED))
    (group,) = offline_parts.loaded(news.saved[-1])["optimizer"]["param_groups"]
    steps_taken = 4 if interval == "Epoch" else 12
    assert group["lr"] == pytest.approx(0.05 * 0.5 ** (steps_taken - 1))
