"""Turns what a hook raises while it is made or tried into a refusal that says which hook, with what, and what to do.

An outage, a lack of memory and an exchange with other ranks are no mistakes of a hook and go through as they are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import torch

from trainingrun_trainer.failures.errors import DataError, InvalidConfiguration
from trainingrun_trainer.failures.outages import outage_of
from trainingrun_trainer.failures.tracebacks import user_traceback


class OtherRanksNeeded(Exception):
    """A hook exchanges values with other ranks, which take no part in the dry run."""


# What is no mistake of a hook's, or has a sentence already.
THROUGH = (InvalidConfiguration, DataError, OtherRanksNeeded, torch.OutOfMemoryError)
# What torch says, and what its reader can do about it.
_ADVICE = (
    (r"missing \d+ required positional argument", "list every column that goes in in spec.recipe.dataset.inputColumns"),
    (r"takes \d+ positional arguments? but \d+ were given", "spec.recipe.dataset.inputColumns lists too many columns"),
    (
        r"target dtype to be Long|scalar type Long but found (Float|Double)",
        "this loss wants whole numbers that count classes from 0: store them so, or make them in a transform",
    ),
    (r"mat1 and mat2 shapes cannot be multiplied", "the layer's in_features are not what the inputs have"),
    (
        r"to have \d+ channels, but got \d+ channels",
        "the model's in_channels, or normalize's channels, must fit",
    ),
    (
        r"indices.*(Long, Int|scalar types)|Expected tensor for argument #1 'indices'",
        "an embedding wants int64 or int32: the column must be stored so, or be cast in a transform",
    ),
    (
        r"(unsigned char|Byte|Long|long|Int|Char).*(bias|weight) type|must have the same dtype|same dtype, but got",
        "a transform must make the inputs float32, as the model's weights are",
    ),
    (
        r"Target -?\d+ is out of bounds|Class values must be",
        "classes count from 0, one for each of the model's outputs: ignore_index of the loss leaves rows out",
    ),
    (r"index out of range in self", "ids must be below the embedding's number of rows"),
    (
        r"device-side assert",
        "a class number or an id is most likely out of range; CUDA_LAUNCH_BLOCKING=1 in spec.env shows the line",
    ),
    (
        r"Tried to step \d+ times",
        "it must be made for all epochs; with interval Epoch it steps once an epoch, with Step once a batch",
    ),
    (r"all tensors to be on the same device", "make tensors on the device of those that the hook gets"),
    (r"more than 1 value per channel", "batch normalisation needs more rows: raise spec.recipe.globalBatchSize"),
    (
        r"step\(\) missing .*closure",
        "the built-in loop takes one step a batch and has no closure: another optimizer, or recipe.loop",
    ),
)


@contextlib.contextmanager
def told(field: str, doing: str, advice: str | None = None) -> Iterator[None]:
    """Raise InvalidConfiguration for what is raised within: `field` names the hook, `doing` when.

    `advice` is what to do about it, where that is known beforehand.
    """
    try:
        yield
    except THROUGH:
        raise
    except Exception as error:
        if outage_of(error) is not None:
            raise
        raise refusal(field, doing, error, advice) from error


def refusal(field: str, doing: str, error: Exception, advice: str | None = None) -> InvalidConfiguration:
    """The refusal of `field` for an error of its hook."""
    return InvalidConfiguration(sentence(field, doing, error, advice))


def sentence(field: str, doing: str, error: Exception, advice: str | None = None) -> str:
    """What an error of the hook in `field` was, when, and what to do; then the author's lines, if there are any."""
    said = f"{type(error).__name__}: {error}".strip()
    advice = advice or next((words for pattern, words in _ADVICE if re.search(pattern, said)), None)
    text = f"{field}: failed {doing}: {said}" + (f" ({advice})" if advice else "")
    lines = user_traceback(error)
    # Without a frame of the author's there is nothing in the traceback that is theirs to change.
    return f"{text}\n{lines}" if _has_user_frames(lines) else text


def _has_user_frames(lines: str) -> bool:
    files = re.findall(r'^  File "([^"]+)"', lines, re.MULTILINE)
    return any(not re.search(r"(site|dist)-packages/(torch|ray)/|trainingrun_trainer/", file) for file in files)
