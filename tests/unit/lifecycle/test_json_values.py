"""Single values from the JSON of a status: whatever it holds, reading it ends with a value or with none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun.status.json_values import integer_of, list_of, mapping_of, number_of, texts_by_name, time_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_any_value_is_read(value: Any) -> None:
    assert (mapping_of(value) is value) == isinstance(value, dict)
    assert (list_of(value) is value) == isinstance(value, list)
    for read in (number_of, integer_of, time_of, texts_by_name):
        read(value)


@pytest.mark.parametrize(
    ("value", "number", "integer"),
    [
        (3, 3.0, 3),
        (2.5, 2.5, None),
        (True, None, None),
        ("3", None, None),
        (float("nan"), None, None),
        (float("inf"), None, None),
        (10**400, None, 10**400),
    ],
)
def test_what_counts_as_a_number(value: object, number: float | None, integer: int | None) -> None:
    assert (number_of(value), integer_of(value)) == (number, integer)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-09-01T12:00:00Z", datetime(2026, 9, 1, 12, tzinfo=UTC)),
        ("2026-09-01T14:00:00.75+02:00", datetime(2026, 9, 1, 12, tzinfo=UTC)),
        ("2026-09-01T12:00:00", None),
        ("2026-09-01", None),
        ("soon", None),
        ("", None),
        (1_790_000_000, None),
        ("0001-01-01T00:00:00+14:00", None),
        ("2000-01-01T00:00:00+14:00", None),
        ("2201-01-01T00:00:00Z", None),
    ],
)
def test_what_counts_as_a_time(value: object, expected: datetime | None) -> None:
    assert time_of(value) == expected


def test_values_by_name_are_texts() -> None:
    listed = [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}, {"name": "b", "value": 3}, {"value": "4"}, 5]
    assert texts_by_name(listed) == {"a": "2"}
