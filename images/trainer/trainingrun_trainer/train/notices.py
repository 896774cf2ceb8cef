"""Turns warnings that bear on a training's result into notices: nobody reads a worker's standard error.

Other warnings stay where they were. It must not tell anybody: whoever drains it does.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

# What torch and NumPy say about numbers that come out otherwise than their author expects. Matched from the start.
_PATTERNS = (
    r"Using a target size",  # a loss broadcasts its targets
    r".*reduction: 'mean' divides the total loss by both the batch size and the support size",
    r"Detected call of `lr_scheduler\.step\(\)` before",
    r"Seems like `optimizer\.step\(\)` has been overridden",
    r"Converting a tensor with requires_grad=True to a scalar",
    r"To copy construct from a tensor",  # torch.tensor(loss) is a loss without a graph
    r"The \.grad attribute of a Tensor that is not a leaf",
    r"None of the inputs have requires_grad",
    r"Casting complex values to real",
    r"Implicit dimension choice for",
    r"dropout[12]d: Received a",
    r".*degrees of freedom is <= 0",
    r".*(invalid value|divide by zero|overflow) encountered",
    r"Mean of empty slice",
    r"The given NumPy array is not writable",
)
_BEARS_ON_RESULTS = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.DOTALL)


class WarningsToNotices:
    """While it is entered, keeps such warnings for `drain`, each text once."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._seen: set[str] = set()
        self._waiting: list[str] = []
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> WarningsToNotices:
        self._caught.__enter__()
        for pattern in _PATTERNS:
            # Whatever a user's module has silenced, and once for each place that warns.
            warnings.filterwarnings("default", message=pattern)
        show = warnings.showwarning

        def keep(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
            text = " ".join(str(message).split())
            if _BEARS_ON_RESULTS.match(text):
                self._keep(text)
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = keep
        return self

    def __exit__(self, *_: object) -> None:
        self._caught.__exit__(None, None, None)

    def drain(self) -> list[str]:
        """What has come since the last call."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def leave_out(self, told: Iterable[str]) -> None:
        """Keep no warning that is part of one of these sentences, which were told already."""
        self._told += told

    def _keep(self, text: str) -> None:
        if text not in self._seen and not any(text in told for told in self._told):
            self._seen.add(text)
            self._waiting.append(text)
