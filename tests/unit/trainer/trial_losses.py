"""Losses and metrics as authors write them, good and wrong, for the tests of the dry run."""

from __future__ import annotations

import torch


def minus(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs - targets).square().mean()


def squeezed_minus(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.squeeze(1) - targets).square().mean()


def added_up(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(outputs, targets, reduction="sum")


def is_right(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return ((outputs > 0) == (targets > 0)).float().mean()


def not_a_number(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.sum() * float("nan")


def constant(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return outputs.sum() * 0.0


def fails(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    raise KeyError("my own mistake")


def by_name(outputs: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(outputs, targets["y"]) + outputs.mean() * targets["z"].mean()


def first_target(outputs: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.nn.functional.cross_entropy(outputs, next(iter(targets.values())))


def right_classes(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Of targets of shape (rows, 1) it compares each row's with those of all rows, without an error."""
    return (outputs.argmax(dim=1) == targets).float().mean()


def right_in_columns(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.argmax(dim=1, keepdim=True) == targets).float().mean()


def outer_difference(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.squeeze(1) - targets).abs().mean()
