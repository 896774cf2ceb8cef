"""Wording for users: what was found in a document, and what a field allows according to its schema.

Every sentence is made from the model's schema, so that it cannot disagree with what is checked.
"""

from __future__ import annotations

import difflib
import functools
import json
from typing import Any

from trainingrun.spec.groups import DEVICE_WORDS, is_device
from trainingrun.spec.model import PATTERN_WORDS
from trainingrun.spec.quantity import QUANTITY_WORDS
from trainingrun.spec.run import Run

MAX_SHOWN = 60
KEY_STEP = "[key]"

Schema = dict[str, Any]


def found_words(value: object) -> str:
    """A short description of any JSON value: short text and numbers as written, everything else by kind."""
    if isinstance(value, str):
        text = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…"
        return json.dumps(text, ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "an empty list" if not value else f"a list of {len(value)} entr{'y' if len(value) == 1 else 'ies'}"
    if isinstance(value, dict):
        return "an empty mapping" if not value else f"a mapping of {len(value)} key{'' if len(value) == 1 else 's'}"
    if isinstance(value, float | int | None):
        return json.dumps(value)
    return f"a value of the Python type {type(value).__name__[:MAX_SHOWN]}"


@functools.cache
def _root() -> Schema:
    return Run.model_json_schema()


def _resolved(schema: Schema) -> Schema:
    """The schema with its reference followed and the choice of null left out."""
    while "$ref" in schema or ("anyOf" in schema and "x-kubernetes-int-or-string" not in schema):
        if "$ref" in schema:
            schema = _root()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        else:
            schema = next(choice for choice in schema["anyOf"] if choice.get("type") != "null")
    return schema


def schema_at(steps: tuple[str | int, ...]) -> Schema | None:
    """The schema of the field at these steps, or None where the API knows no such field."""
    schema = _resolved(_root())
    for step in steps:
        if step == KEY_STEP:
            continue
        inner = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        if inner is None and isinstance(step, str):
            inner = schema.get("additionalProperties")
        if inner is True or inner == {}:
            return {}
        if not isinstance(inner, dict):
            return None
        schema = _resolved(inner)
    return schema


def allowed_words(steps: tuple[str | int, ...], found: object = None) -> str:
    """What the field at these steps allows; `found` adds a hint when its only fault is missing quotes."""
    schema = schema_at(steps)
    if schema and "x-kubernetes-int-or-string" in schema and is_device(str(steps[-1])):
        return DEVICE_WORDS
    words = _schema_words(schema) if schema else "a JSON value (text, number, true, false, null, list or mapping)"
    if schema and _wants_quotes(schema, found):
        words += "; put it in quotes"
    return words


def _wants_quotes(schema: Schema, found: object) -> bool:
    if "x-kubernetes-int-or-string" in schema:
        return isinstance(found, float)
    return schema.get("type") == "string" and isinstance(found, bool | int | float)


def _schema_words(schema: Schema) -> str:
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return join_words(schema["enum"])
    if "x-kubernetes-int-or-string" in schema:
        return QUANTITY_WORDS
    match schema["type"]:
        case "string":
            return _text_words(schema)
        case "array":
            return _count_words(schema, "a list", "Items", "entries")
        case "object":
            return _object_words(schema)
        case "boolean":
            return "true or false"
    return ("a whole number" if schema["type"] == "integer" else "a number") + _range_words(schema)


def _range_words(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    above = schema.get("exclusiveMinimum")
    return "" if above is None or high is None else f" above {above:g} and at most {high:g}"


def _text_words(schema: Schema) -> str:
    low, high = schema.get("minLength", 0), schema["maxLength"]
    words = f"text of {low} to {high} characters" if low else f"text of at most {high} characters"
    detail = PATTERN_WORDS.get(schema.get("pattern", ""), "")
    return f"{words}: {detail}" if detail else words


def _count_words(schema: Schema, noun: str, suffix: str, unit: str) -> str:
    low, high = schema.get(f"min{suffix}", 0), schema.get(f"max{suffix}")
    return f"{noun} of {low} to {high} {unit}" if low else f"{noun} of at most {high} {unit}"


def _object_words(schema: Schema) -> str:
    if "properties" in schema:
        required = schema.get("required")
        if required:
            return f"a mapping with at least {join_words(required, 'and')}"
        return f"a mapping with any of {join_words(schema['properties'], 'and')}"
    return _count_words(schema, "a mapping", "Properties", "keys")


def unknown_field_words(steps: tuple[str | int, ...]) -> str:
    """The fields that exist instead of the unknown one at the end of these steps, the closest first."""
    schema = schema_at(steps[:-1]) or {}
    known = list(schema.get("properties", {}))
    wanted = str(steps[-1])[:MAX_SHOWN].lower()
    by_lower = {name.lower(): name for name in known}
    if len(steps) > 2 and steps[-1] in (schema_at(("spec",)) or {}).get("properties", {}):
        return f"it as spec.{steps[-1]}, or here one of {join_words(sorted(known))}"
    near = difflib.get_close_matches(wanted, by_lower, n=1, cutoff=0.6)
    if near:
        return f"{by_lower[near[0]]} (the closest match), or one of {join_words(sorted(known))}"
    return join_words(sorted(known))


def join_words(words: Any, last: str = "or") -> str:
    """`a, b or c`."""
    *first, end = [str(word) for word in words]
    return f"{', '.join(first)} {last} {end}" if first else end
