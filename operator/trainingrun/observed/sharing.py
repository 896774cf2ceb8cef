"""Makes equal texts of different objects one: thousands of runs say the same words, and each came with its own copy."""

from __future__ import annotations

import sys
from typing import Any


def shared(value: Any) -> Any:
    """A copy of a JSON value whose texts are one with all equal texts; they are forgotten with their last use."""
    if type(value) is str:
        return sys.intern(value)
    if type(value) is dict:
        return {sys.intern(key): shared(item) for key, item in value.items()}
    if type(value) is list:
        return [shared(item) for item in value]
    return value
