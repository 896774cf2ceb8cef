"""A failure is shown to its author without the frames of those who called them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import author_functions
import pytest
import torch
from block_samples import block, chain_of

from trainingrun_trainer.failures.errors import UserCodeError
from trainingrun_trainer.failures.tracebacks import last_lines_first, user_traceback
from trainingrun_trainer.placement import check


def raised(function: Callable[[], object]) -> Exception:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def files_in(text: str) -> list[str]:
    return [line.split('"')[1] for line in text.splitlines() if line.startswith('  File "')]


class Broken(torch.nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs @ torch.zeros(3, 3)


def test_frames_of_torch_are_left_out() -> None:
    error = raised(lambda: torch.nn.Sequential(Broken())(torch.zeros(2, 2)))
    text = user_traceback(error)
    assert set(files_in(text)) == {__file__}
    assert "in forward" in text
    assert "mat1 and mat2 shapes cannot be multiplied" in text.splitlines()[-1]


def test_causes_are_kept() -> None:
    def fail() -> None:
        try:
            author_functions.deeper({})
        except KeyError as error:
            raise ValueError("and then this") from error

    text = user_traceback(raised(fail))
    assert "the author's own mistake" in text
    assert "The above exception was the direct cause" in text
    assert text.endswith("ValueError: and then this")


def test_everything_is_shown_where_no_frame_is_the_authors() -> None:
    try:
        check(None, None)
    except TypeError as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        text = user_traceback(error)
    assert "placement.py" in text
    assert text.endswith("TypeError: 'NoneType' object is not iterable")


def test_an_error_without_a_traceback_is_its_message() -> None:
    assert user_traceback(ValueError("plain")) == "ValueError: plain"


def test_an_authors_error_travels_between_processes() -> None:
    transform = chain_of("fails_on_row_three", "Row")
    error = raised(lambda: transform(block()))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert isinstance(again, UserCodeError)
    assert again.text == str(error)


def deep(levels: int, message: str) -> None:
    if levels % 2:
        deep(levels - 1, message)
    elif levels:
        deep(levels - 1, message)  # on another line, or Python would only count the frames
    raise ValueError(message)


def test_a_short_message_stays_as_it_is() -> None:
    text = user_traceback(raised(lambda: author_functions.deeper({})))
    assert len(text) < 1000
    assert last_lines_first(text) == text


def test_of_a_long_traceback_the_operator_sees_the_last_lines() -> None:
    def fail() -> None:
        try:
            deep(9, "the first mistake")
        except ValueError as error:
            raise RuntimeError("CUDA error: uncorrectable ECC error encountered\nand advice\n" + 30 * "x") from error

    text = user_traceback(raised(fail))
    assert len(text) > 1000
    told = last_lines_first(text)
    assert told.startswith('  File "') and "in fail" in told.splitlines()[0]
    assert "RuntimeError: CUDA error: uncorrectable ECC error encountered" in told[:1024]
    assert told.endswith(text), "all of it follows"


@pytest.mark.parametrize("letter", ["x", "ü", "\N{FIRE}", "\0", '"'])
def test_a_message_of_any_length_fits_into_what_ray_keeps_of_a_log(letter: str) -> None:
    told = last_lines_first("DataError: a.parquet " + 100_000 * letter)
    assert told.startswith("DataError: a.parquet ")
    assert told.endswith("the full text is in the driver's log)")
    assert len(json.dumps(told)) < 19_000
