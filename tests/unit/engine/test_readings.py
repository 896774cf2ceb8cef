"""What is read of an object's metadata."""

from __future__ import annotations

import pytest

from trainingrun.engine.readings import version_of


@pytest.mark.parametrize(("text", "number"), [("17", 17), ("", 0), ("abc", 0), ("\u0663", 0)])
def test_a_version_that_is_no_number_is_none(text: str, number: int) -> None:
    assert version_of({"resourceVersion": text}) == number
