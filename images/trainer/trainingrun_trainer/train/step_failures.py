"""Tells of what a hook raises after the dry run: by the hook's field, the step, and the columns that it was given.

Called only once something has been raised, so that steps cost nothing. What is no mistake of the author's must go
through as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import LayoutError, NonFiniteLoss, UserCodeError
from trainingrun_trainer.train.call_watch import shape_of
from trainingrun_trainer.train.mistakes import THROUGH, sentence

# These have their own sentences.
_TOLD = (*THROUGH, LayoutError, NonFiniteLoss, UserCodeError)
_MOST_COLUMNS = 12


def tell(error: Exception, field: str, doing: str, batch: Mapping[str, Any] | None = None) -> None:
    """Raise UserCodeError, with a sentence, for what the hook in `field` has raised; return where it is not its fault.

    `doing` is when, as in "in step 7 (epoch 0)"; `batch` what the hook was given.
    """
    if isinstance(error, _TOLD) or failure_of(error).exit is not Exit.USER_ERROR:
        return
    given = f", with {columns(batch)}" if batch else ""
    raise UserCodeError(sentence(field, f"{doing}{given}", error)) from error


def columns(batch: Mapping[str, Any]) -> str:
    """Type, shape and range of each column."""
    shown = [f"{name}: {_column(value)}" for name, value in list(batch.items())[:_MOST_COLUMNS]]
    more = len(batch) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _column(value: Any) -> str:
    if not isinstance(value, torch.Tensor) or not value.numel() or value.is_complex() or value.is_sparse:
        return shape_of(value)
    try:
        least, most = value.min().item(), value.max().item()
    except Exception:  # a GPU on which a call has failed can do nothing any more
        return shape_of(value)
    return f"{shape_of(value)} from {least:g} to {most:g}"
