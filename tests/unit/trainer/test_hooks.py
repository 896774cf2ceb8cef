"""A function that a run names wrongly is refused with what is there instead and what is expected."""

from __future__ import annotations

import re
from pathlib import Path

import author_functions
import pytest
import torch

from trainingrun_trainer import hooks
from trainingrun_trainer.failures.errors import InvalidConfiguration

FIELD = "spec.recipe.model.function"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def refused(reference: str, kind: str = "model") -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        hooks.load(FIELD, reference, kind)
    return str(caught.value)


def test_functions_classes_and_what_is_inside_them_are_found() -> None:
    assert hooks.load(FIELD, "author_functions:halve", "model") is author_functions.halve
    assert hooks.load(FIELD, "torch.optim:Adam", "optimizer") is torch.optim.Adam
    found = hooks.load(FIELD, "author_functions:Model.parameters", "model")
    assert found is author_functions.Model.parameters


def test_a_module_that_is_not_there() -> None:
    assert refused("no_such_package.part:build") == (
        f'{FIELD}: there is no module "no_such_package" (from "no_such_package.part:build"); put it into the image, '
        "or next to the run's file for a local run; expected function(**parameters) -> torch.nn.Module"
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
    assert refused("author_functions:NOT_A_FUNCTION", "metric") == (
        f'{FIELD}: "author_functions:NOT_A_FUNCTION" is of type int, not a function; '
        "expected function(outputs, targets) -> scalar tensor, the mean over the rows"
    )


@pytest.mark.parametrize("kind", hooks.SIGNATURES)
def test_every_hook_says_what_it_expects(kind: str) -> None:
    assert refused("author_functions:nothing_like_that", kind).endswith(f"expected {hooks.SIGNATURES[kind]}")


@pytest.mark.parametrize(
    ("function", "arguments", "parameters", "said"),
    [
        (author_functions.halve, 1, {"size": 2}, "got an unexpected keyword argument 'size'"),
        (author_functions.halve, 3, {}, "too many positional arguments"),
        (author_functions.slow_and_wrong, 1, {}, "missing a required argument: 'factor'"),
        (author_functions.halve, 1, {"batch": 2}, "multiple values for argument 'batch'"),
        (author_functions.Model, 0, {}, "missing a required argument: 'classes'"),
    ],
)
def test_parameters_are_checked_before_anything_starts(
    function: object, arguments: int, parameters: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        hooks.check_parameters("spec.x.parameters", function, arguments, parameters)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith(f"spec.x.parameters: {function.__qualname__}(")  # type: ignore[attr-defined]
    assert message.endswith(f"cannot be called as configured: {said}")


def test_parameters_that_fit_and_functions_that_do_not_say() -> None:
    hooks.check_parameters("f", author_functions.halve, 1, {"by": 3})
    hooks.check_parameters("f", dict, 3, {"anything": 1})
    hooks.check_parameters("f", author_functions.Model, 0, {"classes": 3})


def test_only_parameters_of_that_very_name_count() -> None:
    assert hooks.accepts(author_functions.told_by_batch, "training")
    assert not hooks.accepts(author_functions.halve, "training")
    assert not hooks.accepts(lambda **anything: anything, "training")
    assert not hooks.accepts(dict, "training")
