"""Numbers are written for people, and what is not known is never written as a number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun.history import figures

FORMATS = [figures.count, figures.short, figures.rate, figures.percent, figures.duration, figures.size]


@pytest.mark.parametrize("write", [*FORMATS, figures.moment, figures.metric], ids=lambda write: write.__name__)
def test_the_unknown_is_unknown(write):
    assert write(None) == "unknown"


@pytest.mark.parametrize("write", [*FORMATS, figures.moment], ids=lambda write: write.__name__)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_unknown(write, value: float):
    assert write(value) == "unknown"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (figures.count(12345), "12,345"),
        (figures.count(0), "0"),
        (figures.plural(1, "step"), "1 step"),
        (figures.plural(0, "step"), "0 steps"),
        (figures.rate(850), "850 rows/s"),
        (figures.rate(12_430), "12.4 k rows/s"),
        (figures.rate(999.9), "1 k rows/s"),
        (figures.rate(1.2e6), "1.2 M rows/s"),
        (figures.percent(0), "0%"),
        (figures.percent(0.01), "<0.1%"),
        (figures.percent(99.96), "100.0%"),
        (figures.percent(100), "100%"),
        (figures.metric(0.5), "0.5000"),
        (figures.metric(1234.4), "1234"),
        (figures.metric(1e-9), "1e-09"),
        (figures.metric(math.nan), "NaN"),
        (figures.metric(-math.inf), "-inf"),
        (figures.duration(0), "0 s"),
        (figures.duration(4.21), "4.2 s"),
        (figures.duration(9.96), "10 s"),
        (figures.duration(59.7), "1 min"),
        (figures.duration(725), "12 min 5 s"),
        (figures.duration(3599.9), "1 h"),
        (figures.duration(11_520), "3 h 12 min"),
        (figures.duration(187_200), "2 d 4 h"),
        (figures.duration(-1), "unknown"),
        (figures.size(0), "0 bytes"),
        (figures.size(1.4 * 1024**3), "1.4 GiB"),
        (figures.size(1024**2 - 1), "1 MiB"),
        (figures.moment(1_772_000_000), "2026-02-25 06:13:20 UTC"),
        (figures.one_line("a\n\x1b[31mb\u202ec\u2028d "), "a [31mb c d"),
    ],
)
def test_figures(written: str, expected: str):
    assert written == expected


@given(st.one_of(st.floats(), st.integers(), st.integers(min_value=10**300, max_value=10**400)))
def test_no_number_breaks_a_figure(value: float):
    for write in (*FORMATS, figures.moment):
        assert 0 < len(write(value)) <= 32


@given(st.text())
def test_a_line_is_printable(text: str):
    line = figures.one_line(text)
    assert line == line.strip()
    assert all(letter.isprintable() for letter in line if letter.isascii())
