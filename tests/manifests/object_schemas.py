"""JSON schemas of Kubernetes' own kinds and of ours, in the form that kubeconform reads, each in a file of its own.

They come from the API's description in the source of Kubernetes, so that nothing is downloaded. A field that a schema
does not know is an error, as it is to `kubectl apply --validate=strict`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
_METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_REF = re.compile(r"#/definitions/(.+)")
# What the description calls text, and the API server takes as a number too.
_NUMBERS_TOO = ("io.k8s.apimachinery.pkg.util.intstr.IntOrString", "io.k8s.apimachinery.pkg.api.resource.Quantity")


def write_schemas(folder: Path, kubernetes: Path, definitions: Iterable[Path], kinds: set[tuple[str, str]]) -> str:
    """Write a file for each (apiVersion, kind). Gives the template of their names for kubeconform."""
    described = json.loads((kubernetes / "api" / "openapi-spec" / "swagger.json").read_text())["definitions"]
    for name in _NUMBERS_TOO:
        described[name] = {"type": ["string", "number"]}
    read = [yaml.load(definition.read_text(), yaml.CSafeLoader) for definition in definitions]
    ours = {definition["spec"]["names"]["kind"]: definition for definition in read}
    by_kind = {_kind(group): name for name, value in described.items() for group in _groups(value)}
    for api_version, kind in kinds:
        # As kubeconform names them; of the core kinds, it takes the version for the group too.
        group, version = api_version.split("/")[0], api_version.split("/")[-1]
        path = folder / f"{kind.lower()}-{group}-{version}.json"
        if kind in ours:
            schema = _of_definition(ours[kind], described)
        else:
            schema = _with_definitions(by_kind[api_version, kind], described)
        path.write_text(json.dumps(schema))
    return f"{folder}/{{{{ .ResourceKind }}}}-{{{{ .Group }}}}-{{{{ .ResourceAPIVersion }}}}.json"


def _of_definition(definition: Schema, described: dict[str, Schema]) -> Schema:
    """The schema of a CustomResourceDefinition, with what the API server adds to every one."""
    schema = _closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    metadata = _with_definitions(_METADATA, described)
    added = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"$ref": metadata["$ref"]}}
    return {**schema, "properties": {**schema["properties"], **added}, "definitions": metadata["definitions"]}


def _groups(value: Schema) -> list[dict[str, str]]:
    return list(value.get("x-kubernetes-group-version-kind", []))


def _kind(group: dict[str, str]) -> tuple[str, str]:
    prefix = f"{group['group']}/" if group["group"] else ""
    return f"{prefix}{group['version']}", group["kind"]


def _with_definitions(name: str, described: dict[str, Schema]) -> Schema:
    """The schema of this name with all that it refers to."""
    needed: dict[str, Schema] = {}
    wanted = [name]
    while wanted:
        current = wanted.pop()
        if current not in needed:
            needed[current] = _closed(described[current])
            wanted += _REF.findall("\n".join(_references(described[current])))
    return {"$ref": f"#/definitions/{name}", "definitions": needed}


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for item in schema for found in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    return own + [found for item in schema.values() for found in _references(item)]


def _closed(schema: Any) -> Any:
    """The schema, with every field forbidden that it does not name."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(closed.get("properties"), dict) and "additionalProperties" not in closed:
        closed["additionalProperties"] = False
    return closed
