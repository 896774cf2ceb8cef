"""A batch becomes a loss and metrics as the recipe says: inputs by name or place, and means of the rows."""

from __future__ import annotations

import pytest
import torch
from author_modules import author
from trial_samples import CPU, call, linear, prices, recipe_of, table, trained

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.train.computation import Computation
from trainingrun_trainer.train.target_form import Decisions, TargetForm

F = torch.nn.functional


def refused(text: str) -> object:
    return pytest.raises(InvalidConfiguration, match=text)


def test_a_loss_and_metrics_of_one_input_and_one_target() -> None:
    metrics = [
        {"function": "torchvision.ops:sigmoid_focal_loss", "parameters": {"reduction": "mean"}},
        {"name": "again", "function": "torch.nn:MSELoss"},
    ]
    made = trained(recipe_of(metrics=metrics, model=linear(1), loss=call("torch.nn:L1Loss")))
    batch = {**prices(), "y": prices()["y"].reshape(-1, 1)}
    means = made.computation.training(made.model, batch, None)
    assert list(means) == ["loss", "sigmoid_focal_loss", "again"]
    assert torch.equal(means["again"], F.mse_loss(made.model(batch["x"]), batch["y"]))
    assert means["loss"].requires_grad
    assert not means["again"].requires_grad and all(value.shape == () for value in means.values())


def test_inputs_go_by_name_where_forward_has_these_names() -> None:
    made = trained(recipe_of(inputs=("mask", "ids"), model=call("TwoInputs")))
    batch = {"ids": torch.ones(3, 4), "mask": torch.zeros(3, 4), "y": torch.zeros(3, dtype=torch.int64)}
    assert torch.equal(made.computation.outputs(made.model, batch), made.model(batch["ids"], batch["mask"]))


def test_inputs_go_by_place_where_forward_has_other_names() -> None:
    made = trained(recipe_of(inputs=("words", "kept"), model=call("TwoInputs")))
    batch = {"words": torch.ones(3, 4), "kept": torch.zeros(3, 4)}
    assert torch.equal(made.computation.outputs(made.model, batch), made.model(batch["words"], batch["kept"]))


def test_inputs_go_by_name_to_a_forward_of_keywords_only() -> None:
    made = trained(recipe_of(inputs=("b", "a"), model=call("AnyInputs")))
    batch = {"a": torch.ones(3, 4), "b": torch.zeros(3, 4)}
    assert torch.equal(made.computation.outputs(made.model, batch), made.model(**batch))


def test_inputs_go_by_name_to_parameters_that_have_no_place() -> None:
    made = trained(recipe_of(inputs=("ids",), model=call("KeywordOnly")))
    assert torch.equal(
        made.computation.outputs(made.model, {"ids": torch.ones(3, 4)}), made.model(ids=torch.ones(3, 4))
    )


def test_inputs_whose_names_say_another_order_are_refused() -> None:
    made = trained(recipe_of(inputs=("mask", "words"), model=call("TwoInputs")))
    with refused(
        r"inputColumns: found mask, words, but forward of TwoInputs has \(ids, mask\), where mask is in another"
    ):
        made.computation.outputs(made.model, {"mask": torch.ones(3, 4), "words": torch.ones(3, 4)})


@pytest.mark.parametrize(("missing", "field"), [("x", "inputColumns"), ("y", "targetColumns")])
def test_a_column_that_the_batch_lacks_is_named(missing: str, field: str) -> None:
    made, batch = trained(recipe_of()), table()
    del batch[missing]
    with refused(f'spec.recipe.dataset.{field}: the batch has no "{missing}"; it has '):
        made.computation.training(made.model, batch, None)


def test_several_targets_are_a_dict_by_name() -> None:
    made = trained(recipe_of(targets=("y", "z"), loss=call("by_name")))
    batch = {**table(), "z": torch.ones(32)}
    expected = F.cross_entropy(made.model(batch["x"]), batch["y"]) + made.model(batch["x"]).mean()
    assert torch.equal(made.computation.training(made.model, batch, None)["loss"], expected)


@pytest.mark.parametrize(
    "loss",
    [
        call("torch.nn:CrossEntropyLoss", weight=[1, 9]),
        call("torch.nn.functional:cross_entropy", weight=[1, 9]),
    ],
)
def test_class_weights_are_a_list_in_the_file_and_a_tensor_for_torch(loss: dict[str, object]) -> None:
    made, batch = trained(recipe_of(loss=loss)), table()
    found = made.computation.training(made.model, batch, None)["loss"]
    assert torch.equal(found, F.cross_entropy(made.model(batch["x"]), batch["y"], weight=torch.tensor([1.0, 9.0])))


def test_a_list_stays_a_list_where_the_function_takes_it() -> None:
    made = trained(recipe_of(optimizer=call("torch.optim:Adam", betas=[0.5, 0.6])))
    assert made.optimizer.param_groups[0]["betas"] == (0.5, 0.6)


def test_a_list_that_is_no_tensor_either_is_refused_with_what_torch_says() -> None:
    said = "^spec.recipe.loss: failed when it was made, with the parameters weight: TypeError: cannot assign 'list'"
    with refused(said):
        Computation(recipe_of(loss=call("torch.nn:CrossEntropyLoss", weight=["a"])), CPU)


@pytest.mark.parametrize("function", ["Difference", "make_difference"])
def test_a_loss_may_be_made_by_a_class_or_a_function_and_its_parameters_are_trained(function: str) -> None:
    recipe = recipe_of(model=linear(1), loss=call(author(function), scale=2.0))
    made = trained(recipe)
    (scale,) = made.computation.loss_parameters()
    assert id(scale) in made.held()
    batch = {"x": torch.ones(2, 4), "y": torch.ones(2, 1)}
    made.computation.training(made.model, batch, None)["loss"].backward()
    made.optimizer.step()
    state = made.computation.state_dict()
    assert state["scale"] != 2.0
    fresh = Computation(recipe, CPU)
    fresh.load_state_dict(state)
    assert fresh.loss_parameters() == [scale]


def test_an_optimizer_that_gets_the_model_gets_the_losss_parameters_too() -> None:
    made = trained(recipe_of(model=linear(1), loss=call("author_hooks:Difference"), optimizer=call("of_model")))
    assert {id(p) for p in made.parameters()} == made.held()


def test_a_loss_without_state_has_none() -> None:
    computation = Computation(recipe_of(), CPU)
    computation.load_state_dict({})
    assert computation.state_dict() == {} and computation.loss_parameters() == []


def test_a_factory_that_makes_no_function_is_refused() -> None:
    with refused('spec.recipe.loss.function: "builtins:object" returned object; expected function'):
        Computation(recipe_of(loss=call("builtins:object")), CPU)


def test_targets_get_the_form_that_was_decided() -> None:
    made, batch = trained(recipe_of(model=linear(1), loss=call("torch.nn:MSELoss"))), prices()
    made.computation.decide(Decisions({"loss": TargetForm("Outputs")}))
    expected = F.mse_loss(made.model(batch["x"]), batch["y"].reshape(-1, 1))
    assert torch.equal(made.computation.training(made.model, batch, None)["loss"], expected)


def test_accuracy_is_measured_once_it_was_decided() -> None:
    made, batch = trained(recipe_of()), table()
    assert list(made.computation.training(made.model, batch, None)) == ["loss"]
    made.computation.decide(Decisions(has_accuracy=True))
    means = made.computation.evaluation(made.model, batch, None)
    assert list(means) == ["loss", "accuracy"]
    assert means["accuracy"] == (made.model(batch["x"]).argmax(1) == batch["y"]).float().mean()


def test_steps_of_the_author_measure_what_they_return() -> None:
    made, batch = trained(recipe_of(trainStep=call("step"), evalStep=call("eval_step"))), table()
    means = made.computation.training(made.model, batch, None)
    assert list(means) == ["loss", "right", "rows"] and means["rows"] == 32
    assert means["loss"].requires_grad and not means["right"].requires_grad
    assert list(made.computation.evaluation(made.model, batch, None)) == ["median"]


def test_validation_goes_through_the_train_step_where_there_is_no_eval_step() -> None:
    made, batch = trained(recipe_of(trainStep=call("step"))), table()
    assert list(made.computation.evaluation(made.model, batch, None)) == ["loss", "right", "rows"]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("rows", r"returned a float32 tensor of shape \(32,\) as loss; allowed: one number as a tensor, the mean over"),
        ("bool", r"returned a bool tensor of shape \(\) as loss"),
        ("number", "returned float as loss"),
        ("nothing", "returned NoneType as loss"),
        ("no loss", 'returned a dict with right, but no "loss"; expected function'),
    ],
)
def test_what_a_step_may_not_return(what: str, said: str) -> None:
    made = trained(recipe_of(trainStep=call("returned", what=what)))
    with refused(f'^spec.recipe.trainStep.function: "trial_functions:returned" {said}'):
        made.computation.training(made.model, table(), None)


def test_a_tensor_of_one_number_is_a_loss() -> None:
    made = trained(recipe_of(trainStep=call("returned", what="tensor of one")))
    assert made.computation.training(made.model, table(), None)["loss"].shape == ()
