"""The dry run tries on one batch all that training does later, decides about targets, and leaves nothing behind."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from trial_samples import call, linear, prices, recipe_of, session, table, trained, tried

from trainingrun_trainer.train import trial_copies
from trainingrun_trainer.train.dry_run import dry_run
from trainingrun_trainer.train.target_form import TargetForm

BCE = call("torch.nn:BCEWithLogitsLoss")
MSE = call("torch.nn:MSELoss")


def assert_same(found: Any, expected: Any) -> None:
    """Whether two state dicts hold the same."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            assert_same(found[name], expected[name])
    else:
        assert torch.equal(found, expected) if isinstance(expected, torch.Tensor) else found == expected


@pytest.mark.parametrize("model", ["Patched", "Hooked"])
def test_a_model_with_functions_of_its_own_is_no_mistake(model: str) -> None:
    found = tried(table(), model=call(model))
    assert found.notices == () and found.unused_parameters == ()


def test_a_good_recipe_has_nothing_to_say() -> None:
    found = tried(table())
    assert found.notices == () and found.unused_parameters == ()
    assert found.metrics == ("loss", "accuracy") and found.decisions.has_accuracy
    assert found.model_gets == {"x": "float32 (32, 4)"}
    assert found.loss_gets == {"outputs": "float32 (32, 2)", "y": "int64 (32,)"}


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "form"),
    [
        (MSE, 1, prices()["y"], TargetForm("Outputs")),
        (MSE, 1, prices()["y"].reshape(-1, 1), TargetForm()),
        (call("minus"), 1, prices()["y"], TargetForm("Outputs")),
        (call("squeezed_minus"), 1, prices()["y"], TargetForm()),
        (call("torch.nn:PoissonNLLLoss"), 1, prices()["y"].abs(), TargetForm("Outputs")),
        (BCE, 1, table()["y"], TargetForm("Outputs", "float32")),
        (BCE, 3, torch.ones(32, 3, dtype=torch.uint8), TargetForm(None, "float32")),
        (call("torch.nn:HuberLoss"), 3, torch.ones(32, 3, dtype=torch.float64), TargetForm(None, "float32")),
        (call("torch.nn:CrossEntropyLoss"), 2, table()["y"].reshape(-1, 1), TargetForm("Classes")),
        (call("torch.nn:CrossEntropyLoss"), 2, table()["y"].to(torch.int16), TargetForm(None, "int64")),
        (call("torch.nn:CrossEntropyLoss"), 2, table()["y"].to(torch.uint8), TargetForm()),
    ],
)
def test_targets_get_the_one_form_that_can_be_meant_and_it_is_said(
    loss: Any, outputs: int, targets: torch.Tensor, form: TargetForm
) -> None:
    found = tried({"x": table()["x"], "y": targets}, model=linear(outputs), loss=loss)
    assert found.decisions.forms["loss"] == form
    said = [notice for notice in found.notices if notice.startswith("spec.recipe.loss gets targets ")]
    assert len(said) == (form != TargetForm())
    for sentence in said:
        assert str(tuple(targets.shape)) in sentence and f"outputs are float32 (32, {outputs})" in sentence


@pytest.mark.parametrize(
    ("metric", "form"), [("right_classes", TargetForm("Classes")), ("right_in_columns", TargetForm())]
)
def test_a_metric_does_not_compare_each_class_with_all_rows(metric: str, form: TargetForm) -> None:
    targets = table()["y"].reshape(-1, 1)
    found = tried({"x": table()["x"], "y": targets}, metrics=[call(metric)])
    assert found.decisions.forms[metric] == form
    assert not any("each row with all rows" in notice for notice in found.notices)


def test_a_metric_that_compares_each_row_with_all_rows_is_doubted() -> None:
    batch = {**prices(), "y": prices()["y"].reshape(-1, 1)}
    found = tried(batch, model=linear(1), loss=MSE, metrics=[call("outer_difference")])
    (doubt,) = (notice for notice in found.notices if "each row with all rows" in notice)
    assert doubt.startswith("spec.recipe.metrics[0]: sub compares (32,) and (32, 1), each row with all rows")


def test_each_function_gets_the_form_that_it_takes() -> None:
    metrics = [call("is_right"), call("squeezed_minus")]
    found = tried(prices(), model=linear(1), loss=MSE, metrics=metrics)
    assert found.decisions.forms["is_right"] == TargetForm("Outputs")
    assert found.decisions.forms["squeezed_minus"] == TargetForm()


@pytest.mark.parametrize(
    ("batch", "fields"),
    [
        (prices(), {"model": linear(1), "loss": MSE}),
        (table(), {"metrics": []}),
        (table(), {"targets": ("y", "x"), "loss": call("first_target")}),
        ({"x": table()["x"], "y": torch.ones(32, 2)}, {}),
    ],
)
def test_no_metric_is_measured_that_does_not_fit(batch: Any, fields: Any) -> None:
    assert tried(batch, **fields).metrics == ("loss",)


def test_a_mask_of_classes_has_an_accuracy() -> None:
    pictures = {"x": torch.randn(4, 1, 8, 8), "y": torch.randint(0, 3, (4, 1, 8, 8), dtype=torch.uint8)}
    model = call("torch.nn:Conv2d", in_channels=1, out_channels=3, kernel_size=1)
    found = tried(pictures, model=model)
    assert found.metrics == ("loss", "accuracy")
    assert found.decisions.forms["accuracy"] == TargetForm("Classes", "int64")


def test_class_weights_given_as_a_list_are_said() -> None:
    found = tried(table(), loss=call("torch.nn:CrossEntropyLoss", weight=[1, 9]))
    assert found.notices == ("spec.recipe.loss.parameters.weight: the list is given as a float32 tensor of shape (2,)",)


def test_a_parameter_without_a_gradient_is_found() -> None:
    assert tried(table(), model=call("SpareHead")).unused_parameters == ("spare.weight", "spare.bias")


def test_one_row_is_tried_as_it_is_trained_without_statistics_of_it() -> None:
    assert tried(table(rows=1), model=call("Normed")).notices == ()


def test_sparse_gradients_are_gradients() -> None:
    words = {"x": torch.arange(128).reshape(32, 4) % 10, "y": torch.arange(32) % 2}
    optimizer = call("torch.optim:SGD", lr=0.1)
    assert tried(words, model=call("OfText", sparse=True), optimizer=optimizer).notices == ()


@pytest.mark.parametrize(
    ("model", "is_copied"),
    [("Normed", True), ("CannotBeCopied", False), ("Patched", False), ("Hooked", False), ("Large", False)],
)
@pytest.mark.parametrize("scheduler", ["torch.optim.lr_scheduler:StepLR", "torch.optim.lr_scheduler:ReduceLROnPlateau"])
def test_nothing_remains_of_a_dry_run(
    model: str, is_copied: bool, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if model == "Large":
        model, _ = "Normed", monkeypatch.setattr(trial_copies, "MOST_COPIED_BYTES", 10)
    parameters = {"step_size": 1} if "StepLR" in scheduler else {}
    made = trained(recipe_of(model=call(model), scheduler=call(scheduler, **parameters), trainStep=call("random_step")))
    assert (trial_copies._copied(made) is not None) == is_copied
    parts = (made.model, made.optimizer, made.scheduler, made.computation)
    made.model.eval()
    before = [copy.deepcopy(part.state_dict()) for part in parts]
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # type: ignore[func-returns-value]
    expected = random.random(), np.random.rand(), torch.rand(3)
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # type: ignore[func-returns-value]
    dry_run(made, table(), has_validation=True, session=session())
    assert (random.random(), np.random.rand()) == expected[:2] and torch.equal(torch.rand(3), expected[2])
    for part, state in zip(parts, before, strict=True):
        assert_same(part.state_dict(), state)
    assert all(parameter.grad is None for parameter in made.parameters()) and not made.model.training
    made.computation.training(made.model, table(), None)["loss"].backward()
    made.optimizer.step()
    assert not torch.equal(made.model.state_dict()["0.weight"], before[0]["0.weight"]), "the optimizer still trains it"


def test_a_hook_that_waits_for_other_trainers_is_not_waited_for(gloo: None) -> None:
    made = trained(recipe_of(trainStep=call("step_of_all_ranks")))
    found = dry_run(made, table(), has_validation=False, session=session(world_size=2))
    assert [notice for notice in found.notices if "exchanges values between trainers (c10d.allreduce_" in notice]


@pytest.fixture
def gloo(tmp_path: Any) -> Any:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def test_batch_norm_over_all_trainers_is_tried_on_this_one_alone(gloo: None) -> None:
    made = trained(recipe_of(model=call("Normed")))
    made.model = torch.nn.SyncBatchNorm.convert_sync_batchnorm(made.model)
    found = dry_run(made, table(), has_validation=True, session=session(world_size=2))
    assert found.notices == ()
    assert "forward" not in vars(made.model[1])  # type: ignore[index]


def test_the_first_step_of_a_resumed_optimizer_leaves_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_copies, "MOST_COPIED_BYTES", 0)
    made = trained(recipe_of())
    made.computation.training(made.model, table(), None)["loss"].backward()
    made.optimizer.step()
    made.optimizer.zero_grad()
    before = copy.deepcopy(made.optimizer.state_dict())
    dry_run(made, table(), has_validation=False, session=session())
    assert_same(made.optimizer.state_dict(), before)


def test_it_takes_a_few_passes_of_the_model() -> None:
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    made = trained(recipe_of(model=call("CannotBeCopied")))
    made.model.register_forward_hook(count)
    dry_run(made, table(), has_validation=True, session=session())
    assert passes == 3, "training, validation and one row"
