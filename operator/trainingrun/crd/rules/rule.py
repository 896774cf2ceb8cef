"""What a rule is in the API server's language (CEL), and the few expressions that several of them need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from trainingrun.spec.accelerators import GPU
from trainingrun.spec.model import KEY_LENGTH, KEY_PATTERN, Model

# What a runtime may give as well, or otherwise: of a run that names one, the operator compares the whole.
MAY_COME = "has(self.runtimeRef) ||"
KEYS = f"self.all(k, k.size() <= {KEY_LENGTH} && k.matches(r'^{KEY_PATTERN}$'))"


@dataclass(frozen=True)
class Rule:
    """A rule of a model, on its field `at` or on the whole object; an error names `field` in it.

    `mirrors` names what checks the same in trainingrun.spec, which is the other judge of a run.
    """

    model: type[Model]
    mirrors: str
    rule: str
    message: str
    at: str = ""
    field: str = ""

    def to_schema(self) -> dict[str, Any]:
        """The rule as an entry of x-kubernetes-validations."""
        schema = {"rule": re.sub(r"\s+", " ", self.rule).strip(), "message": self.message}
        return {**schema, "fieldPath": f".{self.field}"} if self.field else schema


def amount(amounts: str, key: str = "k") -> str:
    """A quantity of a map. It may be written as text or as a number."""
    return f"quantity(string({amounts}[{key}]))"


def is_gpu(key: str = "k") -> str:
    """Whether a resource of this name is a GPU, or a part of one."""
    return f"{key}.matches(r'{GPU}')"


def given(path: str) -> str:
    """Whether the field at this path is there, with everything around it: the API server fills in nothing there."""
    steps = path.split(".")
    return " && ".join(f"has({'.'.join(steps[:end])})" for end in range(2, len(steps) + 1))


def or_default(path: str, default: int) -> str:
    """A number, or what it is without being given."""
    return f"({given(path)} ? {path} : {default})"


def exactly_one(first: str, second: str) -> str:
    """Exactly one of two fields is given."""
    return f"has(self.{first}) != has(self.{second})"
