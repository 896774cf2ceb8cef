"""The CustomResourceDefinitions of runtimes: a run's spec without what is each run's own.

It must not list what a runtime may preset: whatever a run gets, runtimes get too.
"""

from __future__ import annotations

from typing import Any

from trainingrun.contract.labels import (
    CLUSTER_RUNTIME_KIND,
    CLUSTER_RUNTIME_PLURAL,
    CLUSTER_RUNTIME_SHORT_NAME,
    RUNTIME_KIND,
    RUNTIME_PLURAL,
    RUNTIME_SHORT_NAME,
)
from trainingrun.crd.definition import definition_of, shown_columns
from trainingrun.crd.rules import rules_by_model
from trainingrun.crd.structural import Structural
from trainingrun.spec.run import RunSpec
from trainingrun.spec.runtime import OWN
from trainingrun.spec.runtime_reference import RuntimeReference

Schema = dict[str, Any]

_COLUMNS = (
    ("Image", "string", ".spec.template.image", "Image of all pods."),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the runtime was created."),
)
_WIDE_COLUMNS = (("URI", "string", ".spec.template.storage.uri", "Where runs keep their folders."),)
_SCOPES = (
    (RUNTIME_KIND, RUNTIME_PLURAL, RUNTIME_SHORT_NAME, "Namespaced"),
    (CLUSTER_RUNTIME_KIND, CLUSTER_RUNTIME_PLURAL, CLUSTER_RUNTIME_SHORT_NAME, "Cluster"),
)


def runtime_definitions() -> dict[str, Schema]:
    """The objects that install both kinds, by their plurals."""
    version = {
        "additionalPrinterColumns": shown_columns(_COLUMNS, _WIDE_COLUMNS),
        "schema": {"openAPIV3Schema": runtime_schema()},
    }
    return {plural: definition_of(kind, plural, short, scope, version) for kind, plural, short, scope in _SCOPES}


def runtime_schema() -> Schema:
    """The schema of a whole runtime."""
    name = RuntimeReference.model_json_schema()["properties"]["name"]
    return {
        "description": "Defaults that an administrator gives to the training runs that name it.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": name["maxLength"]}}},
            "spec": {
                "description": "What the runtime gives.",
                "type": "object",
                "required": ["template"],
                "properties": {"template": template_schema()},
            },
        },
    }


def template_schema() -> Schema:
    """The schema of a template. What runs require may come from the run, and the rules between its parts need both."""
    schema = Structural(RunSpec, rules_by_model(), fills_in=False).schema()
    del schema["required"], schema["x-kubernetes-validations"]
    for steps, names in OWN.items():
        part = schema
        for step in steps:
            part = part["properties"][step]
        for name in names:
            del part["properties"][name]
        _keep_rules(part, names)
    return {**schema, "description": "What runs that leave it out get: fields of a run's spec."}


def _keep_rules(part: Schema, gone: tuple[str, ...]) -> None:
    """Leave out rules about fields that are not there."""
    rules = part.pop("x-kubernetes-validations", [])
    kept = [rule for rule in rules if not any(f"self.{name}" in rule["rule"] for name in gone)]
    if kept:
        part["x-kubernetes-validations"] = kept
