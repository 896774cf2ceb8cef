"""A check of manifests as strict as an API server that is asked to refuse unknown and duplicate fields.

Rules in CEL are not evaluated; the tests against a real API server do that.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft4Validator, FormatChecker, ValidationError, validators

Schema = dict[str, Any]
OPEN = "x-kubernetes-preserve-unknown-fields"
FORMATS = FormatChecker(formats=())


@FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@FORMATS.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _unique_entries(_: object, keys: list[str], entries: object, schema: Schema) -> Iterator[ValidationError]:
    """No two entries of a list that is a map by these keys may have the same ones."""
    if not isinstance(entries, list):
        return
    identities = [tuple(entry.get(key) for key in keys) for entry in entries if isinstance(entry, dict)]
    if len(set(identities)) < len(identities):
        yield ValidationError(f"entries with the same {keys}")


_Validator = validators.extend(Draft4Validator, {"x-kubernetes-list-map-keys": _unique_entries})


@functools.cache
def _validator(file: Path) -> Any:
    definition = yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    version = next(version for version in definition["spec"]["versions"] if version["storage"])
    return _Validator(_closed(version["schema"]["openAPIV3Schema"]), format_checker=FORMATS)


def _closed(schema: Schema) -> Schema:
    """The schema without room for fields that it does not name."""
    closed = {**schema}
    if "properties" in schema:
        closed["properties"] = {name: _closed(inner) for name, inner in schema["properties"].items()}
        if not schema.get(OPEN):
            closed.setdefault("additionalProperties", False)
    for inside in ("items", "additionalProperties"):
        if isinstance(schema.get(inside), dict):
            closed[inside] = _closed(schema[inside])
    return closed


def problems(crds: Path, manifest: dict[str, Any]) -> list[str]:
    """What the schema of the manifest's kind has against it."""
    validator = _validator(crds / f"ray.io_{manifest['kind'].lower()}s.yaml")
    return [f"{'.'.join(map(str, error.path))}: {error.message[:200]}" for error in validator.iter_errors(manifest)]
