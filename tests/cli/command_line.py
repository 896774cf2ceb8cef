"""What a test of a command calls: the command line's words in, its result out."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

Run = Callable[..., Result]
