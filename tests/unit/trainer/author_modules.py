"""Where the functions of an author are: a test names one, and need not know its module."""

from __future__ import annotations

import author_classes
import author_copies
import author_draws
import author_functions
import author_hooks

_MODULES = (author_classes, author_copies, author_draws, author_hooks, author_functions)


def author(name: str) -> str:
    """The function's path in a recipe."""
    found = next((module for module in _MODULES if hasattr(module, name)), author_functions)
    return f"{found.__name__}:{name}"
