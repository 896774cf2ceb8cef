"""What is applied means the same as YAML as it does as JSON, whatever characters are in it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trainingrun.kube.yaml_text import as_yaml


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8) | st.integers() | st.none(), max_size=4))
def test_yaml_reads_what_was_written(value: dict[str, object]) -> None:
    assert yaml.load(as_yaml(value), Loader=yaml.CSafeLoader) == value


@pytest.mark.parametrize(
    "text", ["\x7f", "\x85", "\x9f", "\u2028", "\ufeff", "\uffff", "\U0001f4a5", "\\ud83d", "\0\t\n"]
)
def test_no_character_is_lost(text: str) -> None:
    assert yaml.load(as_yaml({"a": f"x{text}y"}), Loader=yaml.CSafeLoader) == {"a": f"x{text}y"}


def test_half_a_character_is_replaced() -> None:
    assert yaml.load(as_yaml(["\ud83d!"]), Loader=yaml.CSafeLoader) == ["\ufffd!"]
