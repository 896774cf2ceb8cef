"""Schemas as Kubernetes wants them, from the JSON schemas of the typed models.

A structural schema has no references and no choice between types, and the API server fills defaults in. It must
accept and refuse what the model does; rules between fields are in rules.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from trainingrun.crd.rules import Rule
from trainingrun.spec import merge

Schema = dict[str, Any]

# Lists whose entries are found by a key, which the API server holds unique. All others are replaced as a whole.
LIST_KEYS = {**merge.LIST_KEYS, "Condition": "type"}
_COPIED = (
    "type", "format", "description", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties", "minimum", "maximum", "x-kubernetes-int-or-string",
)  # fmt: skip


class Structural:
    """Makes the schema of a model.

    `rules` are looked up by the names of the models that they are about. With `fills_in`, the API server is to fill
    in the model's defaults.
    """

    def __init__(self, model: type[BaseModel], rules: Mapping[str, tuple[Rule, ...]] | None = None, *, fills_in: bool):
        self._name = model.__name__
        self._whole = model.model_json_schema()
        self._rules = rules or {}
        self._fills_in = fills_in

    def schema(self) -> Schema:
        """The schema, ready for a CustomResourceDefinition."""
        return self._object(self._whole, self._name)

    def _object(self, schema: Schema, name: str) -> Schema:
        converted = _copied(schema)
        converted["properties"] = {key: self._value(value) for key, value in schema["properties"].items()}
        if schema.get("required"):
            converted["required"] = schema["required"]
        for rule in self._rules.get(name, ()):
            place = converted["properties"][rule.at] if rule.at else converted
            place.setdefault("x-kubernetes-validations", []).append(rule.to_schema())
        return converted

    def _value(self, schema: Schema) -> Schema:
        schema = _without_null(schema)
        if "$ref" in schema:
            converted = self._referred(schema)
        elif schema.get("type") == "array":
            converted = self._list(schema)
        elif schema.get("type") == "object":
            converted = {**_copied(schema), "additionalProperties": self._entry(schema["additionalProperties"])}
        else:
            converted = _copied(schema)
            if "exclusiveMinimum" in schema:
                converted |= {"minimum": schema["exclusiveMinimum"], "exclusiveMinimum": True}
        return _with_default(converted, schema.get("default")) if self._fills_in else converted

    def _referred(self, schema: Schema) -> Schema:
        """What the reference leads to; keywords next to the reference are about this use of it, and override."""
        name = _name(schema)
        definition = self._whole["$defs"][name]
        converted = self._object(definition, name) if "properties" in definition else _copied(definition)
        return converted | _copied(schema)

    def _list(self, schema: Schema) -> Schema:
        key = LIST_KEYS.get(_name(schema["items"]))
        kind: Schema = {"x-kubernetes-list-type": "atomic"}
        if key:
            kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
        return {**_copied(schema), "items": self._value(schema["items"]), **kind}

    def _entry(self, schema: Schema) -> Schema:
        """The schema of a map's values. Those that may be anything keep null too, which is else left out."""
        if _name(schema) == "JsonValue":
            return {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
        return self._value(schema)


def _name(schema: Schema) -> str:
    return str(schema.get("$ref", "")).rsplit("/", 1)[-1]


def _copied(schema: Schema) -> Schema:
    return {key: schema[key] for key in _COPIED if key in schema}


def _without_null(schema: Schema) -> Schema:
    """A choice between a type and null as the type alone: the API server takes a null as not given."""
    if "x-kubernetes-int-or-string" in schema:
        return schema
    choices = [choice for choice in schema.get("anyOf", ()) if choice.get("type") != "null"]
    return {**schema, **choices[0]} if choices else schema


def _with_default(converted: Schema, default: object) -> Schema:
    """The schema with the default that makes the API server store what the model means.

    Only scalars, and `{}` where an object has such defaults inside and needs nothing: the rest follows from the
    absence of a field, in the model as for whoever reads the stored object.
    """
    if isinstance(default, str | int | float):
        return {**converted, "default": default}
    has_defaults = any("default" in value for value in converted.get("properties", {}).values())
    if default is not None and has_defaults and not converted.get("required"):
        return {**converted, "default": {}}
    return converted
