"""A function that a run names wrongly is refused with what is there instead and what is expected."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import author_functions
import author_hooks
import pytest
import torch
from author_modules import author
from run_samples import run_of

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.hooks import SIGNATURES, Hook, hooks_of

PATH = "spec.recipe.model"
FIELD = f"{PATH}.function"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def refused(reference: str, kind: str = "model") -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        Hook(PATH, reference, kind).check()
    return str(caught.value)


def test_functions_classes_and_what_is_inside_them_are_found() -> None:
    assert Hook(PATH, "author_functions:halve", "transform (Batch)").function is author_functions.halve
    assert Hook(PATH, "torch.optim:Adam", "optimizer").function is torch.optim.Adam
    found = Hook(PATH, "author_hooks:Model.parameters", "optimizer").function
    assert found is author_hooks.Model.parameters


def test_a_module_that_is_not_there() -> None:
    assert refused("no_such_package.part:build") == (
        f'{FIELD}: there is no module "no_such_package" (from "no_such_package.part:build"); put it into the image '
        "or into spec.code (--code DIR), or next to the run's file for a local run; "
        "expected function(**parameters) -> torch.nn.Module"
    )
    assert 'there is no module "torch.nothing" (from "torch.nothing:x")' in refused("torch.nothing:x")


def test_a_module_that_lacks_a_module_itself(modules: Path) -> None:
    (modules / "json_models.py").write_text("import no_such_library\n")
    message = refused("json_models:build")
    assert message.startswith(f'{FIELD}: importing "json_models" failed:\n')
    assert f'{modules / "json_models.py"}", line 1' in message
    assert message.endswith("No module named 'no_such_library'")


def test_a_module_whose_name_begins_like_the_one_that_it_lacks(modules: Path) -> None:
    (modules / "lackingmodels.py").write_text("import lacking\n")
    assert 'importing "lackingmodels" failed' in refused("lackingmodels:build")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("def broken(:", "SyntaxError: "),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import sys\nsys.exit()", "SystemExit"),
        ("raise RuntimeError('no GPU')", "RuntimeError: no GPU"),
    ],
    ids=["error", "syntax", "exit", "sys.exit", "runtime"],
)
def test_a_module_that_fails_while_it_is_imported(
    modules: Path, text: str, said: str, request: pytest.FixtureRequest
) -> None:
    name = "failing_" + re.sub(r"\W", "_", request.node.callspec.id)
    (modules / f"{name}.py").write_text(text + "\n")
    message = refused(f"{name}:build")
    assert message.startswith(f'{FIELD}: importing "{name}" failed:\n')
    assert f"{name}.py" in message and said in message


def test_a_wrong_name_is_answered_with_the_nearest(modules: Path) -> None:
    (modules / "some_models.py").write_text("def resnet(): ...\ndef vgg(): ...\ndef _helper(): ...\nLIMIT = 3\n")
    assert refused("some_models:resnett") == (
        f'{FIELD}: module "some_models" has no "resnett"; did you mean "resnet"? It has: resnet, vgg; '
        "expected function(**parameters) -> torch.nn.Module"
    )
    assert 'has no "transformer". It has: resnet, vgg' in refused("some_models:transformer")


def test_a_name_inside_something_that_has_none(modules: Path) -> None:
    (modules / "constants.py").write_text("LIMIT = 3\n")
    assert 'has no "nothing". It has: no functions' in refused("constants:LIMIT.nothing")
    assert 'has no "x". It has: no functions' in refused("constants:x")


def test_something_that_is_no_function() -> None:
    assert refused("author_functions:NOT_A_FUNCTION", "metrics") == (
        f'{FIELD}: "author_functions:NOT_A_FUNCTION" is of type int, not a function; '
        "expected function(outputs, targets, **parameters) -> scalar tensor, the mean over the rows"
    )


@pytest.mark.parametrize("kind", SIGNATURES)
def test_every_hook_says_what_it_expects(kind: str) -> None:
    assert refused("author_functions:nothing_like_that", kind).endswith(f"expected {SIGNATURES[kind]}")


@pytest.mark.parametrize(
    ("name", "kind", "parameters", "said"),
    [
        ("halve", "transform (Batch)", {"size": 2}, "got an unexpected keyword argument 'size'"),
        ("halve", "trainStep", {}, "too many positional arguments"),
        ("slow_and_wrong", "collate", {}, "missing a required argument: 'factor'"),
        ("halve", "transform (Batch)", {"batch": 2}, "multiple values for argument 'batch'"),
        ("Model", "model", {}, "missing a required argument: 'classes'"),
        ("Model", "loss", {}, "missing a required argument: 'classes'"),
        ("difference", "loss", {"weight": 2}, "got an unexpected keyword argument 'weight'"),
        ("make_difference", "loss", {"weight": 2}, "got an unexpected keyword argument 'weight'"),
        ("notebook_row", "metrics", {}, "missing a required argument: 'row'"),
    ],
)
def test_parameters_are_checked_before_anything_starts(
    name: str, kind: str, parameters: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        Hook("spec.x", author(name), kind, parameters).check()
    message = str(caught.value)
    assert message.startswith(f"spec.x.parameters: {name}(")
    assert message.endswith(f"cannot be called as configured: {said}")


def test_parameters_that_fit_and_functions_that_do_not_say() -> None:
    assert Hook("f", "author_functions:halve", "transform (Batch)", {"by": 3}).call({"image": 7}) == {"image": 2}
    Hook("f", "builtins:dict", "trainStep", {"anything": 1}).check()
    Hook("f", "author_hooks:Model", "model", {"classes": 3}).check()


@pytest.mark.parametrize(
    ("name", "is_maker"),
    [("Difference", True), ("make_difference", True), ("difference", False), ("any_arguments", False)],
)
def test_what_is_called_once_is_told_from_what_is_called_with_outputs_and_targets(name: str, is_maker: bool) -> None:
    assert Hook("f", author(name), "loss").is_maker is is_maker
    assert not Hook("f", author(name), "collate").is_maker


def test_only_parameters_of_that_very_name_are_told() -> None:
    told = {"training": True, "input_columns": ("image",)}
    assert Hook("f", "author_functions:told_by_batch", "transform (Batch)", told=told).keywords == {"training": True}
    assert Hook("f", "author_functions:halve", "transform (Batch)", {"by": 4}, told).keywords == {"by": 4}
    assert Hook("f", "builtins:dict", "transform (Batch)", told=told).keywords == {}
    mine = Hook("f", "author_functions:told_by_batch", "transform (Batch)", {"training": False}, told)
    assert mine.keywords == {"training": False}, "what the author says comes before what we say"


def test_a_hook_travels_by_name(modules: Path) -> None:
    (modules / "module_of_lambdas.py").write_text("net = lambda: 3\n")
    hook = Hook("f", "module_of_lambdas:net", "model")
    hook.check()
    assert "function" not in hook.__getstate__()
    assert copy.copy(hook).call() == 3


def test_every_hook_of_a_recipe_is_known() -> None:
    step, metrics = {"function": "m:step"}, [{"function": "m:a"}, {"function": "m:b", "parameters": {"k": 5}}]
    recipe = run_of(
        recipe={
            "dataset": {"train": {"format": "Parquet", "path": "/data/train"}, "inputColumns": ["x", "y"]},
            "globalBatchSize": 48,
            "scheduler": {"function": "m:scheduler"},
            "collate": {"function": "m:collate"},
            "trainStep": step,
            "evalStep": step,
            "metrics": metrics,
        }
    ).spec.recipe
    assert recipe is not None
    hooks = {hook.path.removeprefix("spec.recipe."): hook for hook in hooks_of(recipe)}
    names = "collate model optimizer scheduler loss trainStep evalStep metrics[0] metrics[1]"
    assert list(hooks) == names.split()
    assert hooks["metrics[1]"].parameters == {"k": 5}
    assert hooks["model"].reference == "trainingrun_trainer.vision:resnet18"
