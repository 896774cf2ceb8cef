"""The definition's schema as tests see it: every part of it with its place, and as plain JSON schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainingrun.crd.definition import run_schema

Schema = dict[str, Any]


def parts(schema: Schema, place: str = "") -> Iterator[tuple[str, Schema]]:
    """Every schema in a schema, with its place."""
    yield place, schema
    for name, field in schema.get("properties", {}).items():
        yield from parts(field, f"{place}.{name}")
    if "items" in schema:
        yield from parts(schema["items"], f"{place}[]")
    if "additionalProperties" in schema:
        yield from parts(schema["additionalProperties"], f"{place}{{}}")


def json_schema(schema: Schema) -> Schema:
    """The same as JSON schema (draft 4, whose exclusiveMinimum is Kubernetes'), refusing unknown fields."""
    plain: Schema = {key: value for key, value in schema.items() if not key.startswith("x-") and key != "nullable"}
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    if "properties" in schema:
        plain["properties"] = {name: json_schema(field) for name, field in schema["properties"].items()}
        plain["additionalProperties"] = False
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            plain[inner] = json_schema(schema[inner])
    return plain


def spec_as_json_schema() -> Schema:
    return json_schema(run_schema()["properties"]["spec"])
