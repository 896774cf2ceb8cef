"""What the typed model refuses is either a rule of the definition, or stands in the list of what only it refuses."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from trainingrun import spec
from trainingrun.crd.rules import BY_LIST_KEYS, PARSE_ONLY, RULES
from trainingrun.spec import pod_rules as rules_of_pods
from trainingrun.spec import rules as rules_between_parts
from trainingrun.spec.model import Model
from trainingrun.spec.run import Run

MIRRORED = {rule.mirrors for rule in RULES if rule.mirrors} | set(BY_LIST_KEYS) | set(PARSE_ONLY)


def models_in(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for subclass in model.__subclasses__():
        yield from models_in(subclass)


def checks_of_models() -> set[str]:
    """Every broken_rules that a model of the API brings along, as module.Class.method."""
    owners = {model for model in models_in(Model) if "broken_rules" in vars(model) and model is not Model}
    return {f"{owner.__module__.removeprefix('trainingrun.spec.')}.{owner.__name__}.broken_rules" for owner in owners}


def checks_between_parts() -> set[str]:
    """Every function that finds problems, but for those that only gather what others find."""
    found = set()
    for module in (rules_between_parts, rules_of_pods):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and function.__annotations__["return"] == "Iterator[Problem]":
                found.add(f"{module.__name__.rpartition('.')[2]}.{name}")
    return found - {"rules.broken_rules", "pod_rules.rules_of_mounting", "pod_rules._repeated_places"}


def checks_of_fields() -> set[str]:
    """The checks that are no part of pydantic's schema of the run: those of keys, and functions of whole values."""
    found = set()
    for module in pkgutil.iter_modules(spec.__path__):
        source = inspect.getsource(importlib.import_module(f"{spec.__name__}.{module.name}"))
        own = re.findall(r"^(?:(\w+_KEYS) = keys_match|def (\w+))", source, re.MULTILINE)
        keys = {key for key, _ in own if key}
        called = {function for _, function in own} & set(re.findall(r"AfterValidator\((\w+)\)", source))
        found |= {f"{module.name}.{name}" for name in keys | called}
    return found


def test_every_check_of_the_model_is_a_rule_or_listed_as_its_own():
    checks = checks_of_models() | checks_between_parts() | checks_of_fields()
    assert len(checks) > 12
    assert {"environment._names_are_unique", "dataset.COLUMN_KEYS"} <= checks
    assert checks - MIRRORED == set()


@pytest.mark.parametrize("name", sorted(MIRRORED))
def test_what_is_mirrored_exists(name):
    module, _, rest = name.partition(".")
    found: Any = importlib.import_module(f"trainingrun.spec.{module}")
    for step in rest.split("."):
        found = getattr(found, step)
    assert found


def test_messages_fit_into_one_line_and_name_fields_in_back_quotes():
    for rule in RULES:
        assert len(rule.message) < 250
        assert "\n" not in rule.message
        assert re.search(r"\b(must|may|needs?)\b", rule.message), rule.message


def test_rules_name_fields_that_there_are():
    def has(model: Any, path: str) -> bool:
        for step in filter(None, path.split(".")):
            fields = {field.alias: field for field in model.model_fields.values()}
            if step not in fields:
                return False
            annotation = fields[step].annotation
            inner = [kind for kind in getattr(annotation, "__args__", (annotation,)) if inspect.isclass(kind)]
            model = next((kind for kind in inner if issubclass(kind, BaseModel)), None)
        return True

    for rule in RULES:
        assert has(rule.model, rule.at) and has(rule.model, rule.field), rule
    assert not has(Run, "spec.nothing")
