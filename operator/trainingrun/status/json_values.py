"""Reads single values from the JSON of a status, whoever wrote it: what is missing or of another type is not known.

It must accept anything and never raise. What the values mean is known to those who read them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

# Arithmetic could push other times beyond the calendar.
YEARS = range(2000, 2201)


def mapping_of(value: object) -> Mapping[str, Any]:
    """An object's fields; none of anything else."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> Sequence[Any]:
    """A list's items; none of anything else."""
    return value if isinstance(value, list | tuple) else ()


def number_of(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def integer_of(value: object) -> int | None:
    """A whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def time_of(value: object) -> datetime | None:
    """A time with its zone, in UTC; the API has whole seconds."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is None or found.tzinfo is None:
            return None
        found = found.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None
    return found if found.year in YEARS else None


def texts_by_name(value: object) -> dict[str, str]:
    """The values of a list of objects with a name and a value, which are texts; of several with one name, the last."""
    named = ((mapping_of(item).get("name"), mapping_of(item).get("value")) for item in list_of(value))
    return {name: text for name, text in named if isinstance(name, str) and isinstance(text, str)}
