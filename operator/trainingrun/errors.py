"""The few errors that cross module boundaries, each with one meaning.

An error here must say what the user can do about it; any other exception is a bug.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a document.

    `path` is the field's path as `kubectl explain` writes it (`spec.trainer.numNodes`, `spec.env[2].name`).
    """

    path: str
    found: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: {self.said}"

    @property
    def said(self) -> str:
        """What is wrong, without where."""
        if self.found.startswith("no "):
            return f"there is {self.found}; expected {self.allowed}"
        return f"found {self.found}, allowed: {self.allowed}"


class InvalidSpec(ValueError):
    """The document is not a valid TrainingRun and its author must change it. Carries all problems, not just one."""

    def __init__(self, problems: list[Problem]):
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))
