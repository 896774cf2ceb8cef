"""Tells that a debugger was quit, which Python raises in the author's code as if that had failed."""

from __future__ import annotations

import bdb


def has_quit(error: BaseException | None) -> bool:
    """Whether `error` is the end of a debugger, or was made of it."""
    while error is not None and not isinstance(error, bdb.BdbQuit):
        error = error.__cause__ or error.__context__
    return error is not None
