"""In which form a loss or a metric gets the targets: as they are, or in the one other form that it can mean.

Nothing is decided here: dry_run tries on one real batch what a function takes, and all batches then follow that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import torch

_TYPES = {"float32": torch.float32, "int64": torch.int64}


@dataclass(frozen=True)
class TargetForm:
    """How targets are changed. `shape` Outputs: viewed in the outputs' shape, of which they differ by dimensions of
    size one; Classes: without their second dimension, of size one. `dtype`: a wider type, without a change of value.
    """

    shape: Literal["Outputs", "Classes"] | None = None
    dtype: Literal["float32", "int64"] | None = None

    def of(self, outputs: Any, targets: Any) -> Any:
        """The targets in this form; what is no tensor stays as it is."""
        if not isinstance(targets, torch.Tensor) or not isinstance(outputs, torch.Tensor):
            return targets
        if self.shape == "Outputs" and targets.numel() == outputs.numel():
            targets = targets.reshape(outputs.shape)
        elif self.shape == "Classes":
            targets = targets.squeeze(1)
        return targets if self.dtype is None else targets.to(_TYPES[self.dtype])

    @property
    def words(self) -> str:
        """What is done, for a notice."""
        shapes = {"Outputs": "viewed in the outputs' shape", "Classes": "without their dimension of size one"}
        parts = [shapes[self.shape]] if self.shape else []
        return " and ".join([*parts, *([f"as {self.dtype}"] if self.dtype else [])])


@dataclass(frozen=True)
class Decisions:
    """What the first batch has decided, the same on all ranks: the targets' form by function, and default metrics."""

    forms: dict[str, TargetForm] = field(default_factory=dict)
    has_accuracy: bool = False


def possible_forms(outputs: Any, targets: Any) -> list[TargetForm]:
    """The forms to try, in order; the first leaves everything as it is, and is the only one for several tensors."""
    if not isinstance(outputs, torch.Tensor) or not isinstance(targets, torch.Tensor):
        return [TargetForm()]
    shapes: list[Literal["Outputs", "Classes"] | None] = [None]
    if outputs.shape != targets.shape and _without_ones(outputs) == _without_ones(targets):
        shapes.append("Outputs")
    elif targets.ndim > 1 and targets.ndim == outputs.ndim and targets.shape[1] == 1 != outputs.shape[1]:
        shapes.append("Classes")
    dtypes: list[Literal["float32", "int64"] | None] = [None]
    if targets.dtype in (torch.int8, torch.int16, torch.int32, torch.uint8):
        dtypes.append("int64")
    if targets.dtype == torch.float64 or not targets.is_floating_point():
        dtypes.append("float32")
    return [TargetForm(shape, dtype) for dtype in dtypes for shape in shapes]


def _without_ones(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(size for size in tensor.shape if size != 1)
