"""How a run's spec and its runtime's template become one: the run wins, field by field. Pure.

Mappings merge by key. Lists whose entries have a name of their own (LIST_KEYS) merge by it, and all other lists are
replaced. Of fields that exclude each other (ALTERNATIVES), the run's choice drops the runtime's. Nothing is validated
here: whatever is not as the API has it comes out for `parse` to refuse.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from trainingrun.spec.run import RunSpec
from trainingrun.spec.volumes import KINDS

Schema = Mapping[str, Any]
Origin = Literal["run", "runtime", "both", "default"]

# By the names of models: the field by which entries of a list are found, which the API server holds unique.
LIST_KEYS = {
    "EnvironmentVariable": "name",
    "Volume": "name",
    "VolumeMount": "mountPath",
    "PodMetadata": "target",
    "PodTemplatePatch": "target",
}
# By the names of models: the fields of which an object has exactly one.
ALTERNATIVES = {
    "EnvironmentVariable": ("value", "valueFrom"),
    "EnvironmentSource": ("secretKeyRef", "configMapKeyRef"),
    "Storage": ("uri", "persistentVolumeClaim"),
    "Code": ("uri", "configMapKeyRef"),
    "Volume": KINDS,
    "ProjectedSource": ("secret", "configMap"),
    "Topology": ("preferred", "required"),
}
_NOTHING: Schema = {}


def merged(template: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a run with everything that only the template says. Neither is changed."""
    return _objects(template, spec, _root())


def origin(steps: tuple[str | int, ...], template: object, spec: object) -> Origin:
    """Where the value at these steps of the merged spec comes from."""
    schema: Schema = _root()
    for step in steps:
        whole = _values(template, spec, schema)
        key = _key(schema)
        template, spec = (_entry(value, step, whole, key) for value in (template, spec))
        schema = _child(schema, step)
        if _replaces(template, spec, schema):
            template = None
    if template is None:
        return "run" if spec is not None else "default"
    return "runtime" if spec is None else "both"


def leaves(value: object, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value in a value that holds no other, with its steps."""
    entries: Iterator[tuple[str | int, Any]] | None = None
    if isinstance(value, Mapping) and value:
        entries = iter(value.items())
    elif isinstance(value, list) and value:
        entries = iter(enumerate(value))
    if entries is None:
        yield steps, value
        return
    for step, inner in entries:
        yield from leaves(inner, (*steps, step))


@functools.cache
def _root() -> Schema:
    return RunSpec.model_json_schema()


def _values(base: object, over: object, schema: Schema) -> Any:
    if over is None:
        return base
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return _objects(base, over, schema)
    if isinstance(base, list) and isinstance(over, list):
        return _lists(base, over, schema)
    return over


def _objects(base: Mapping[str, Any], over: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    kept = {name: value for name, value in base.items() if not _is_dropped(name, over, schema)}
    own = {name: _values(kept.get(name), value, _child(schema, name)) for name, value in over.items()}
    return {**kept, **own}


def _lists(base: list[Any], over: list[Any], schema: Schema) -> list[Any]:
    entry, key = _child(schema, 0), _key(schema)
    ours, theirs = _by_key(base, key), _by_key(over, key)
    if ours is None or theirs is None:
        return over
    return list(_objects(ours, theirs, {"additionalProperties": entry}).values())


def _key(schema: Schema) -> str:
    """By which field the entries of a list are found; empty where they are not."""
    return LIST_KEYS.get(_resolved(_child(schema, 0)).get("title", ""), "")


def _by_key(entries: list[Any], key: str) -> dict[str, Any] | None:
    """The entries by what they are found by; None where that is not to be found, or not unique."""
    names = [entry.get(key) if isinstance(entry, Mapping) else None for entry in entries]
    is_unique = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return {str(name): entry for name, entry in zip(names, entries, strict=True)} if is_unique else None


def _is_dropped(name: str, over: Mapping[str, Any], schema: Schema) -> bool:
    group = ALTERNATIVES.get(_resolved(schema).get("title", ""), ())
    return name in group and any(over.get(other) is not None for other in group if other != name)


def _replaces(base: object, over: object, schema: Schema) -> bool:
    """Whether nothing of `base` is left where both have a value."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return False
    return over is not None and _values(base, over, schema) is over


def _entry(value: object, step: str | int, whole: object, key: str) -> Any:
    """What a value that went into `whole` has at this step of it; entries of a list are found by `key`."""
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    if not isinstance(value, list) or not isinstance(whole, list) or step >= len(whole):
        return None
    if whole is value:
        return value[step]
    wanted = whole[step]
    return next((entry for entry in value if _same(entry, wanted, key)), None)


def _same(entry: object, wanted: object, key: str) -> bool:
    if not isinstance(entry, Mapping) or not isinstance(wanted, Mapping):
        return False
    return key in wanted and entry.get(key) == wanted[key]


def _child(schema: Schema, step: str | int) -> Schema:
    schema = _resolved(schema)
    inner = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
    if inner is None and isinstance(step, str):
        inner = schema.get("additionalProperties")
    return inner if isinstance(inner, Mapping) else _NOTHING


def _resolved(schema: Schema) -> Schema:
    """The schema with its reference followed and the choice of null left out."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            schema = _root()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        else:
            schema = next((choice for choice in schema["anyOf"] if choice.get("type") != "null"), _NOTHING)
    return schema
