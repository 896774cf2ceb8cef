"""A failure is shown to its author without the frames of those who called them."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import author_functions
import torch
from block_samples import block

from trainingrun_trainer.data.transform import Transform
from trainingrun_trainer.errors import UserCodeError
from trainingrun_trainer.placement import check
from trainingrun_trainer.tracebacks import has_user_frame, user_traceback


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
    assert has_user_frame(error)


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
        check(None, None)  # type: ignore[arg-type]
    except TypeError as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        assert not has_user_frame(error)
        text = user_traceback(error)
    assert "placement.py" in text
    assert text.endswith("TypeError: 'NoneType' object is not iterable")


def test_an_error_without_a_traceback_is_its_message() -> None:
    assert user_traceback(ValueError("plain")) == "ValueError: plain"


def test_an_authors_error_travels_between_processes() -> None:
    transform = Transform("author_functions:fails_on_row_three", "Row")
    error = raised(lambda: transform(block()))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert isinstance(again, UserCodeError)
    assert again.text == str(error)
