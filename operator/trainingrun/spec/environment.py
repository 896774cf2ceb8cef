"""Environment variables of pods, and where their values come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from trainingrun.errors import Problem
from trainingrun.spec.model import DataKey, Model, ObjectName, rules_error, text

EnvironmentName = Annotated[
    str,
    text(
        253,
        pattern=r"^[-._a-zA-Z][-._a-zA-Z0-9]*$",
        words="letters, digits, '_', '-' and '.', no digit first",
    ),
]


class KeyReference(Model):
    """One key of a Secret or ConfigMap in the run's namespace."""

    name: ObjectName = Field(description="Name of the Secret or ConfigMap, at most 253 characters.")
    key: DataKey = Field(description="Key in it, at most 253 characters.")


class EnvironmentSource(Model):
    """Where a value comes from: exactly one source."""

    secret_key_ref: KeyReference | None = Field(default=None, description="A key of a Secret.")
    config_map_key_ref: KeyReference | None = Field(default=None, description="A key of a ConfigMap.")

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one source."""
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            found = "neither" if self.secret_key_ref is None else "both"
            yield Problem("", f"{found} of secretKeyRef and configMapKeyRef", "exactly one of them")


class EnvironmentVariable(Model):
    """A variable and exactly one of its value or its source."""

    name: EnvironmentName = Field(description="Name of the variable, at most 253 characters.")
    value: Annotated[str, text(32_768, min_length=0)] | None = Field(
        default=None, description="The value itself, at most 32,768 characters."
    )
    value_from: EnvironmentSource | None = Field(default=None, description="Where the value comes from.")

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one of value and valueFrom."""
        if (self.value is None) == (self.value_from is None):
            found = "neither" if self.value is None else "both"
            yield Problem("", f"{found} of value and valueFrom", "exactly one of them")


def _names_are_unique(variables: tuple[EnvironmentVariable, ...]) -> tuple[EnvironmentVariable, ...]:
    names: set[str] = set()
    repeated = []
    for index, variable in enumerate(variables):
        if variable.name in names:
            repeated.append(Problem(f"[{index}].name", f"{variable.name} again", "each name once"))
        names.add(variable.name)
    if repeated:
        raise rules_error(repeated)
    return variables


Environment = Annotated[
    tuple[EnvironmentVariable, ...], Strict(False), Field(max_length=256), AfterValidator(_names_are_unique)
]
