"""Marks by which a transform says where it wants to run, and what its rows were made from.

Must stay free of imports: user modules import it, also in processes that only read data.
"""

from collections.abc import Callable
from typing import TypeVar

# The column by which a Batch transform that drops or adds rows says which row of its batch each one was made from.
PARENT = "__parent__"

Function = TypeVar("Function", bound=Callable[..., object])
_ATTRIBUTE = "__trainingrun_on_trainer__"


def on_trainer(function: Function) -> Function:
    """Mark a Batch transform to run on the trainer, after the batch has reached its device.

    The function then gets a dict of tensors (first dimension: rows of one rank's batch) and returns one. Small
    types travel over the network and the arithmetic is done where it is cheapest: send uint8, normalise here.
    """
    setattr(function, _ATTRIBUTE, True)
    return function


def runs_on_trainer(function: object) -> bool:
    """Whether `function` carries the mark of `on_trainer`."""
    return bool(getattr(function, _ATTRIBUTE, False))
