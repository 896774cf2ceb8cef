"""What plain YAML words mean: numbers, true, null or text, as `kubectl` reads them.

PyYAML's own rules differ (`1e-3` is text and `2026-01-01` a date there): a file would mean one thing here
and another to the API server.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_BASED = re.compile(r"([-+]?)0(x[0-9a-fA-F]+|o?[0-7]+|b[01]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")
# Longer numbers than 64 bits hold are read as floats, as Kubernetes does.
_MAX_DIGITS = 24
_LARGEST_WHOLE = 2.0**63

_PREFIX = "tag:yaml.org,2002:"


def plain_scalar(text: str) -> Scalar:
    """The value of an unquoted word."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    number = _number(text)
    return text if number is None else number


def tagged_scalar(tag: str, text: str) -> Scalar:
    """The value of a word with an explicit tag. Raises ValueError where JSON has no such value."""
    kind = tag.removeprefix(_PREFIX)
    if kind in ("str", "!"):
        return text
    value = plain_scalar(text)
    fits = {
        "int": type(value) is int,
        "float": type(value) in (int, float),
        "bool": type(value) is bool,
        "null": value is None,
    }
    if not fits.get(kind, False):
        raise ValueError(f"the tag {tag[:60]}")
    return value


def _number(text: str) -> int | float | None:
    if len(text) <= _MAX_DIGITS:
        if _WHOLE.fullmatch(text):
            return int(text.replace("_", ""))
        if based := _BASED.fullmatch(text):
            digits = based[2]
            base = {"x": 16, "o": 8, "b": 2}.get(digits[0])
            return int(based[1] + (digits[1:] if base else digits), base or 8)
    if _FLOAT.fullmatch(text):
        return _as_json(float(text))
    if special := _SPECIAL.fullmatch(text):
        return float(special[1] + special[2].lower())
    return None


def _as_json(number: float) -> int | float:
    """The number as kubectl sends it: JSON made by Go has no fraction where there is none (`1e3` is 1000)."""
    return int(number) if number.is_integer() and abs(number) < _LARGEST_WHOLE else number
