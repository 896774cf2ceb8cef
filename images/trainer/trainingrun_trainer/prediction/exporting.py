"""Writes a trained model for programs that know nothing of this one, and reads it back before it says so.

A file appears under its name only once what was read from it predicts what the model does.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.prediction.loaded import Opened, model_of, opened_at
from trainingrun_trainer.train.computation import goes_by_name

# Of a value of the outputs: another program computes in another order.
RELATIVE, ABSOLUTE = 1e-4, 1e-5
# A batch that a file was not made with must work as well.
_ROWS = (2, 3)
# What a recipe's run has not told.
_FIELD = "export"

Inputs = dict[str, torch.Tensor]
Outputs = list[torch.Tensor]
Predict = Callable[[Inputs], Outputs]


def export(location: str, kind: str, output: Path) -> float:
    """Write the model at `location` (see `load`) as `kind` to `output`; returns the largest difference in its outputs.

    Raises InvalidConfiguration where the model cannot be written so, or does not predict the same when it is read.
    """
    write, needed = _KINDS[kind]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        lacking = ", ".join(missing)
        raise InvalidConfiguration(f"{_FIELD}: {kind} needs {lacking}, which is not installed: {_INSTALL[kind]}")
    opened = opened_at(location)
    model = model_of(opened)
    examples = [_example(opened, rows) for rows in _ROWS]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as folder:
        path = Path(folder) / output.name
        predict = write(model, opened, examples[0], path)
        difference = max(_compared(opened, model, predict, example, kind) for example in examples)
        os.replace(path, output)
    return difference


def _example(opened: Opened, rows: int) -> Inputs:
    """Inputs of the types and shapes that training had, which mean nothing."""
    names = opened.recipe.dataset.inputs
    if set(opened.inputs) != set(names):
        raise InvalidConfiguration(
            f"{_FIELD}: {opened.location} does not say what its model gets as {', '.join(names)}; allowed: a "
            "checkpoint of a run whose batches have tensors under the names of its input columns"
        )
    drawn = torch.Generator().manual_seed(0)
    made = {}
    for name in names:
        shape, kind = opened.inputs[name]
        dtype: torch.dtype = getattr(torch, kind)
        # Numbers of words and of classes are small.
        made[name] = (
            torch.randn(rows, *shape, generator=drawn).to(dtype)
            if dtype.is_floating_point
            else torch.randint(0, 2, (rows, *shape), generator=drawn).to(dtype)
        )
    return made


def _compared(opened: Opened, model: torch.nn.Module, predict: Predict, example: Inputs, kind: str) -> float:
    with torch.no_grad():
        expected, found = _flat(_call(model, example)), predict(example)
    worst = 0.0
    for one, other in zip(expected, found, strict=True):
        if one.shape != other.shape or not torch.allclose(one, other.to(one.dtype), rtol=RELATIVE, atol=ABSOLUTE):
            raise InvalidConfiguration(
                f"{_FIELD}: the model of {opened.location} predicts something else when it is read from {kind}: "
                f"{_words(one, other)}; allowed: differences of {RELATIVE:g} x the value + {ABSOLUTE:g}"
            )
        worst = max(worst, float((one - other).abs().max()) if one.numel() else 0.0)
    return worst


def _words(one: torch.Tensor, other: torch.Tensor) -> str:
    if one.shape != other.shape:
        return f"outputs of shape {list(other.shape)} instead of {list(one.shape)}"
    return f"outputs that differ by up to {float((one - other).abs().max()):g}"


def _call(model: torch.nn.Module, inputs: Inputs) -> Any:
    """The model's outputs; inputs go by name where its forward has them all, as in training."""
    arguments, keywords = _arguments(model, inputs)
    return model(*arguments, **keywords)


def _arguments(model: torch.nn.Module, inputs: Inputs) -> tuple[tuple[torch.Tensor, ...], Inputs]:
    return ((), inputs) if goes_by_name(model, tuple(inputs)) else (tuple(inputs.values()), {})


def _flat(outputs: Any) -> Outputs:
    """All tensors in a model's outputs, in order."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    values = outputs.values() if isinstance(outputs, Mapping) else outputs if isinstance(outputs, list | tuple) else ()
    return [tensor for value in values for tensor in _flat(value)]


def _safetensors(model: torch.nn.Module, opened: Opened, example: Inputs, path: Path) -> Predict:
    from safetensors.torch import load_file, save_file

    state = model.state_dict()
    others = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise InvalidConfiguration(f"{_FIELD}: the model's state has {', '.join(others)}, which are no tensors")
    # Copies: weights that share memory are written for each name that they have.
    tensors = {name: value.contiguous().clone() for name, value in state.items()}
    save_file(tensors, path, metadata={"format": "pt"})
    again = model_of(opened._replace(weights=load_file(path)))
    return lambda inputs: _flat(_call(again, inputs))


def _torch_export(model: torch.nn.Module, opened: Opened, example: Inputs, path: Path) -> Predict:
    program = _program(model, example)
    torch.export.save(program, path)
    again = torch.export.load(path).module()

    def predict(inputs: Inputs) -> Outputs:
        arguments, keywords = _arguments(model, inputs)
        return _flat(again(*arguments, **keywords))

    return predict


def _program(model: torch.nn.Module, example: Inputs) -> torch.export.ExportedProgram:
    arguments, keywords = _arguments(model, example)
    rows = torch.export.Dim("rows")
    by_name = {name: {0: rows} for name in example}
    parameters = inspect.signature(model.forward).parameters
    shapes: Any = by_name if keywords else _by_position(by_name, list(parameters.values()))
    try:
        return torch.export.export(model, arguments, keywords, dynamic_shapes=shapes)
    except Exception as error:  # whatever torch finds in an author's code
        raise InvalidConfiguration(
            f"{_FIELD}: torch.export cannot make a program of the model for any number of rows: {error}"
        ) from error


def _by_position(by_name: dict[str, Any], parameters: list[inspect.Parameter]) -> Any:
    """Shapes for arguments without names; those that *args takes belong together."""
    shapes = list(by_name.values())
    plain = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)][: len(shapes)]
    return (*shapes[: len(plain)], *((tuple(shapes[len(plain) :]),) if len(shapes) > len(plain) else ()))


def _onnx(model: torch.nn.Module, opened: Opened, example: Inputs, path: Path) -> Predict:
    import onnx
    from onnx.reference import ReferenceEvaluator

    names = list(example)
    made = torch.onnx.export(_program(model, example), input_names=names, dynamo=True, verbose=False)
    if made is None:
        raise InvalidConfiguration(f"{_FIELD}: torch.onnx has made nothing of the model")
    made.save(path)
    again = ReferenceEvaluator(onnx.load(path))
    wanted = [value.name for value in onnx.load(path).graph.input]

    def predict(inputs: Inputs) -> Outputs:
        given = dict(zip(wanted, (inputs[name].numpy() for name in names), strict=True))
        return [torch.as_tensor(value) for value in again.run(None, given)]

    return predict


_Write = Callable[[torch.nn.Module, Opened, Inputs, Path], Predict]
_KINDS: dict[str, tuple[_Write, tuple[str, ...]]] = {
    "safetensors": (_safetensors, ("safetensors",)),
    "torch-export": (_torch_export, ()),
    "onnx": (_onnx, ("onnx", "onnxscript")),
}
_INSTALL = {"onnx": "pip install 'trainingrun[trainer,onnx]'", "safetensors": "pip install 'trainingrun[trainer]'"}
