"""A copy of any Python object as plain JSON values within fixed limits, so that nothing later is surprised.

It must know nothing about the API: it guards against types and sizes, not against meanings.
"""

from __future__ import annotations

import math
from typing import Any

MAX_DEPTH = 32
MAX_VALUES = 20_000
MAX_ENTRIES = 1000

Steps = tuple[str | int, ...]


class TooLarge(ValueError):
    """The object is deeper or larger than any valid document; says where and what was found."""

    def __init__(self, steps: Steps, found: str):
        self.steps = steps
        self.found = found
        super().__init__(found)


class PlainCopy:
    """Copies objects; whatever is not a JSON value is listed in `refused` as (where, what was found)."""

    def __init__(self) -> None:
        self.refused: list[tuple[Steps, str]] = []
        self._steps: list[str | int] = []
        self._count = 0

    def copy(self, value: object) -> Any:
        """The copy, with None for what is refused. Raises TooLarge."""
        self._count += 1
        if self._count > MAX_VALUES:
            raise TooLarge((), f"more than {MAX_VALUES:,} values")
        kind = type(value)
        if kind is str:
            return value if _is_unicode(value) else self._refuse("text that is not valid Unicode")  # type: ignore[arg-type]
        if kind is dict or kind is list:
            return self._container(value)  # type: ignore[arg-type]
        if kind is int:
            return value if -(2**63) <= value < 2**63 else self._refuse("a whole number of more than 64 bits")  # type: ignore[operator]
        if kind is float:
            return value if math.isfinite(value) else self._refuse(str(value))  # type: ignore[arg-type]
        if value is None or kind is bool:
            return value
        return self._refuse(f"a value of the Python type {kind.__name__[:64]}")

    def _refuse(self, found: str) -> None:
        self.refused.append((tuple(self._steps), found))

    def _container(self, value: dict[Any, Any] | list[Any]) -> Any:
        if len(self._steps) >= MAX_DEPTH:
            raise TooLarge(tuple(self._steps), f"nesting deeper than {MAX_DEPTH} levels")
        if len(value) > MAX_ENTRIES:
            kind = "list" if isinstance(value, list) else "mapping"
            raise TooLarge(tuple(self._steps), f"a {kind} of {len(value)} entries")
        if isinstance(value, list):
            return [self._entry(index, item) for index, item in enumerate(value)]
        copied = {}
        for key, item in value.items():
            if type(key) is str and _is_unicode(key):
                copied[key] = self._entry(key, item)
            else:
                self._refuse(f"a key of the type {type(key).__name__[:64]}")
        return copied

    def _entry(self, step: str | int, item: object) -> Any:
        self._steps.append(step)
        copied = self.copy(item)
        self._steps.pop()
        return copied


def _is_unicode(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False
