"""A checkpoint that does not fit the recipe of now is refused with the field and the names that differ."""

from __future__ import annotations

import pytest
import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.loading import load_model, load_optimizer, load_scaler


def model(width: int = 2, *, has_norm: bool = False) -> torch.nn.Module:
    layers = {"first": torch.nn.Linear(2, width), "last": torch.nn.Linear(width, 1)}
    return torch.nn.ModuleDict({**layers, **({"norm": torch.nn.BatchNorm1d(1)} if has_norm else {})})


def test_a_model_that_fits_is_loaded() -> None:
    saved, now = model(), model()
    load_model(now, saved.state_dict())
    assert all(torch.equal(now.state_dict()[name], value) for name, value in saved.state_dict().items())


@pytest.mark.parametrize(
    ("saved", "now", "says"),
    [
        (
            model(),
            model(has_norm=True),
            "the checkpoint lacks norm.bias, norm.num_batches_tracked, norm.run",
        ),
        (model(has_norm=True), model(), "the checkpoint has also norm.bias, norm.num_batches_tracked, norm."),
        (
            model(2),
            model(3),
            "the checkpoint has other shapes: first.bias [2] instead of [3], first.weight [2, 2] instead of [3, 2], "
            "last.weight [1, 2] instead of [1, 3]. Allowed: the model that was trained; another spec.storage.runName",
        ),
    ],
)
def test_a_model_that_has_changed_is_refused_by_name(saved: torch.nn.Module, now: torch.nn.Module, says: str) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        load_model(now, saved.state_dict())
    assert str(raised.value).startswith("spec.recipe.model: the checkpoint's weights do not fit the model")
    assert says in str(raised.value)


def optimizer(kind: str, **parameters: float) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = getattr(torch.optim, kind)(torch.nn.Linear(2, 2).parameters(), **parameters)
    return made


def test_an_optimizer_takes_its_settings_from_the_checkpoint() -> None:
    saved, now = optimizer("SGD", lr=0.1, momentum=0.9), optimizer("SGD", lr=0.5)
    torch.optim.lr_scheduler.OneCycleLR(saved, max_lr=1.0, total_steps=10)
    load_optimizer(now, saved.state_dict())
    assert now.param_groups[0]["momentum"] == saved.param_groups[0]["momentum"]


def test_another_version_of_the_same_optimizer_is_none_other() -> None:
    saved, now = optimizer("Adam", lr=0.1), optimizer("Adam", lr=0.1)
    state = saved.state_dict()
    del state["param_groups"][0]["fused"]
    load_optimizer(now, state)
    state["param_groups"][0] |= {"fused": None, "cooled": False}
    load_optimizer(now, state)


@pytest.mark.parametrize(("saved", "now"), [("SGD", "Adam"), ("Adam", "SGD"), ("RMSprop", "AdamW")])
def test_the_state_of_another_optimizer_is_refused(saved: str, now: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"recipe\.optimizer: found state with .*, of another optimizer"):
        load_optimizer(optimizer(now, lr=0.1), optimizer(saved, lr=0.1).state_dict())


def test_other_groups_of_parameters_are_refused() -> None:
    layer = torch.nn.Linear(2, 2)
    split = torch.optim.SGD([{"params": [layer.weight]}, {"params": [layer.bias]}], lr=0.1)
    with pytest.raises(InvalidConfiguration, match=r"found groups of 1, 1 parameters in the checkpoint, and of 2 now"):
        load_optimizer(optimizer("SGD", lr=0.1), split.state_dict())


def test_a_training_that_needed_no_scaler_has_none_to_restore() -> None:
    scaler = torch.amp.GradScaler("cpu", enabled=True)
    before = scaler.state_dict()
    load_scaler(scaler, torch.amp.GradScaler("cpu", enabled=False).state_dict())
    assert scaler.state_dict() == before
    load_scaler(scaler, {**before, "scale": 8.0})
    assert scaler.state_dict()["scale"] == 8.0
