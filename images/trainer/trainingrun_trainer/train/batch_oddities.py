"""Notices what is odd about the values of the first batch: allowed, and yet seldom meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

# Fewer rows may well be alike by chance.
_FEW_ROWS = 16
_LARGE = 1000.0


def not_finite(batch: Mapping[str, Any], columns: tuple[str, ...]) -> list[str]:
    """Sentences about values in `columns` that are NaN or infinite."""
    said = []
    for name in columns:
        values = batch.get(name)
        if isinstance(values, torch.Tensor) and values.is_floating_point() and values.numel():
            rows = (
                ~torch.isfinite(values).reshape(len(values), -1).all(dim=1) if values.ndim else ~torch.isfinite(values)
            )
            if bool(rows.any()):
                said.append(f'column "{name}" is NaN or infinite in {int(rows.sum())} of {rows.numel()} rows')
    return said


def raw_pictures(batch: Mapping[str, Any], inputs: tuple[str, ...]) -> list[str]:
    """Sentences about inputs that are still pictures of whole numbers, which the default transform normalises."""
    return [
        f'input column "{name}" comes to the model as pictures of uint8, which no transform has normalised: add '
        '{function: "trainingrun_trainer.vision:normalize", kind: Batch} at the end of spec.recipe.transforms'
        for name, values in ((name, batch.get(name)) for name in inputs)
        if isinstance(values, torch.Tensor) and values.dtype == torch.uint8 and values.ndim in (3, 4)
    ]


def oddities(batch: Mapping[str, Any], inputs: tuple[str, ...], targets: tuple[str, ...]) -> list[str]:
    """Sentences about inputs that are not scaled, and about columns that are the same in every row."""
    said = []
    for name in (*inputs, *targets):
        values = batch.get(name)
        if not isinstance(values, torch.Tensor) or values.ndim == 0 or len(values) < _FEW_ROWS:
            continue
        kind = "input" if name in inputs else "target"
        if bool((values == values[:1]).all()):
            said.append(
                f'{kind} column "{name}" is the same in all {len(values)} rows of the first batch'
                + (": are the rows sorted by it?" if kind == "target" else ": is anything in it?")
            )
        elif values.is_floating_point():
            said += _scale(name, kind, values)
    return said


def _scale(name: str, kind: str, values: torch.Tensor) -> list[str]:
    least, most = float(values.min()), float(values.max())
    is_whole = values.ndim > 2 and least >= 0 and 50 < most <= 255 and bool((values == values.round()).all())
    if is_whole and kind == "input":
        return [
            f'input column "{name}" holds whole numbers up to {most:g}, as pictures do: is it meant to be scaled? '
            "trainingrun_trainer.vision:normalize does that to uint8 columns"
        ]
    if max(abs(least), abs(most)) > _LARGE:
        return [
            f'{kind} column "{name}" runs from {least:g} to {most:g}: most networks learn better from scaled numbers'
        ]
    return []
