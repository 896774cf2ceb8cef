"""Numbers as people read them: the only place that turns a number into words.

Every function takes `None`, NaN or infinity for what is not known and then says so; none of them answers 0.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime

UNKNOWN = "unknown"
# Control, format (such as right-to-left overrides), line and paragraph separators, lone surrogates.
_UNPRINTABLE = {"Cc", "Cf", "Zl", "Zp", "Cs"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_DEEPEST = 16


def finite(value: float | None) -> float | None:
    """The value as a float, or None where it is missing or cannot be measured against others."""
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def ratio(part: float, whole: float) -> float | None:
    """`part` by `whole`; None where that is not a number, such as for a stretch of no time."""
    try:
        return finite(part / whole) if whole > 0 else None
    except OverflowError:
        return None


def count(value: float | None) -> str:
    """A whole number with thousands separators: `12,345`."""
    number = finite(value)
    return UNKNOWN if number is None else f"{round(number):,}" if abs(number) < 1e15 else f"{number:.3g}"


def plural(value: int, noun: str) -> str:
    """A count and its noun: `1 step`, `12 steps`."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def short(value: float | None) -> str:
    """A number with three significant digits and a decimal prefix: `850`, `12.4 k`, `1.2 M`."""
    number = finite(value)
    if number is None:
        return UNKNOWN
    for divisor, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= divisor * 0.9995:
            return f"{number / divisor:.3g}{prefix}" if abs(number) < 1e15 else f"{number:.3g}"
    return f"{number:.3g}" if abs(number) < 999.5 else f"{number:.0f}"


def rate(rows_per_second: float | None) -> str:
    """Throughput: `12.4 k rows/s`."""
    return UNKNOWN if finite(rows_per_second) is None else f"{short(rows_per_second)} rows/s"


def percent(value: float | None) -> str:
    """A share in percent with one decimal; a small share is never rounded down to nothing."""
    number = finite(value)
    if number is None:
        return UNKNOWN
    if 0 < number < 0.05:
        return "<0.1%"
    return f"{count(number)}%" if number in (0, 100) or abs(number) >= 1000 else f"{number:.1f}%"


def metric(value: float | None) -> str:
    """A loss or metric with four significant digits; NaN and infinity by their names."""
    if value is None:
        return UNKNOWN
    number = finite(value)
    if number is None:
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return f"{number:#.4g}".removesuffix(".") if 0.0001 <= abs(number) < 1e6 else f"{number:.4g}"


def duration(seconds: float | None) -> str:
    """A span of time in the two units that matter: `4.2 s`, `12 min 5 s`, `3 h 12 min`, `2 d 4 h`."""
    number = finite(seconds)
    if number is None or number < 0:
        return UNKNOWN
    if 0 < number < 9.95:
        return f"{number:.1f} s"
    whole = round(number)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two_units(whole, _MINUTE, "min", 1, "s")
    if whole < 2 * _DAY:
        return _two_units(round(whole / _MINUTE) * _MINUTE, _HOUR, "h", _MINUTE, "min")
    return _two_units(round(whole / _HOUR) * _HOUR, _DAY, "d", _HOUR, "h")


def _two_units(seconds: int, large: int, large_name: str, small: int, small_name: str) -> str:
    wholes, rest = seconds // large, seconds % large // small
    return f"{count(wholes)} {large_name}" + (f" {rest} {small_name}" if rest else "")


def size(size_bytes: float | None) -> str:
    """An amount of bytes in binary units: `1.4 GiB`."""
    number = finite(size_bytes)
    if number is None or number < 0:
        return UNKNOWN
    for power, unit in ((5, "PiB"), (4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if number >= 1024**power * 0.9995:
            return f"{number / 1024**power:.3g} {unit}"
    return f"{number:.0f} bytes"


def moment(time: float | None) -> str:
    """A point in time, in UTC to the second: `2026-03-01 14:02:11 UTC`."""
    try:
        return datetime.fromtimestamp(math.nan if time is None else time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return UNKNOWN


def one_line(text: str) -> str:
    """The text on one line without control characters: it can neither break a log nor drive a terminal."""
    return " ".join("".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in text).split())


def indented(line: str) -> str:
    """The line as `one_line` has it, with the indentation that a traceback is read by."""
    expanded = line.expandtabs(4)
    return " " * min(len(expanded) - len(expanded.lstrip(" ")), _DEEPEST) + one_line(line)
