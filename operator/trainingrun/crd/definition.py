"""The CustomResourceDefinition of runs as one object: names, columns, and the schema of the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainingrun.contract.labels import GROUP, KIND, PLURAL, SHORT_NAME, VERSION
from trainingrun.contract.progress_metrics import CURRENT_EPOCH, GOODPUT
from trainingrun.crd.rules import Rule, rules_by_model
from trainingrun.crd.structural import Structural
from trainingrun.spec.run import Run, RunSpec
from trainingrun.spec.runtime import OWN
from trainingrun.status.reported_fields import RunStatus

Schema = dict[str, Any]
Column = tuple[str, str, str, str]

# kstatus takes a run without status for a healthy one. No generation is -1, so this one is never up to date.
UNSEEN = {"observedGeneration": -1}
# As metav1.Condition has it: others may add conditions of their own.
_CONDITION = {
    "type": {"maxLength": 316, "pattern": r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$"},
    "reason": {"minLength": 1, "pattern": r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
}


def _metric(name: str) -> str:
    return f'.status.trainerStatus.metrics[?(@.name=="{name}")].value'


_NEWEST_ATTEMPT = ".status.attempts[-1:]"
# (name, type, where, description); the wide ones are shown by `kubectl get -o wide` only.
COLUMNS = (
    ("State", "string", ".status.state", "The run's state in one word; the conditions have the details."),
    ("Pods", "string", ".status.pods", "Ready pods out of all pods."),
    (
        "Progress",
        "integer",
        ".status.trainerStatus.progressPercentage",
        "Share of the training that is done, in percent.",
    ),
    (
        "Stall",
        "integer",
        ".status.dataStatus.stallPercentage",
        "Share of time that trainers wait for data, in percent.",
    ),
    ("Attempt", "integer", f"{_NEWEST_ATTEMPT}.index", "Number of the newest attempt; the first is 0."),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the run was created."),
)
WIDE_COLUMNS = (
    ("Epoch", "string", _metric(CURRENT_EPOCH), "Current epoch; the first is 1."),
    ("Goodput", "string", _metric(GOODPUT), "Share of time spent on steps that were kept, in percent."),
    ("Runtime", "string", ".spec.runtimeRef.name", "Runtime that the run takes its defaults from."),
    ("RayJob", "string", f"{_NEWEST_ATTEMPT}.rayJobName", "RayJob of the newest attempt."),
    (
        "Message",
        "string",
        '.status.conditions[?(@.type=="Reconciling")].message',
        "What the run is doing or waiting for.",
    ),
)


def custom_resource_definition() -> Schema:
    """The object that installs runs."""
    version = {
        "subresources": {"status": {}},
        "additionalPrinterColumns": shown_columns(COLUMNS, WIDE_COLUMNS),
        "schema": {"openAPIV3Schema": run_schema()},
    }
    return definition_of(KIND, PLURAL, SHORT_NAME, "Namespaced", version)


def definition_of(kind: str, plural: str, short_name: str, scope: str, version: Schema) -> Schema:
    """The object that installs a kind, of which `version` says what is special."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short_name],
            },
            "versions": [{"name": VERSION, "served": True, "storage": True, **version}],
        },
    }


def shown_columns(always: tuple[Column, ...], wide: tuple[Column, ...]) -> list[Schema]:
    """Columns of `kubectl get`, and those that only `-o wide` adds."""
    shown = [(column, 0) for column in always] + [(column, 1) for column in wide]
    return [
        {"name": name, "type": kind, "jsonPath": where, "description": words, "priority": priority}
        for (name, kind, where, words), priority in shown
    ]


def run_schema() -> Schema:
    """The schema of a whole TrainingRun. Its metadata is Kubernetes' own but for the name, which is shorter here."""
    rules = rules_by_model()
    name = Run.model_json_schema()["$defs"]["Metadata"]["properties"]["name"]
    metadata = {"type": "object", "properties": {"name": {"type": "string", "maxLength": name["maxLength"]}}}
    return {
        "description": "A training run on Ray: what to train, on which nodes, and how far it is.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "metadata": metadata,
            "spec": _spec_schema(rules),
            "status": status_schema(),
        },
        "x-kubernetes-validations": [rule.to_schema() for rule in rules[Run.__name__]],
    }


def _spec_schema(rules: Mapping[str, tuple[Rule, ...]]) -> Schema:
    """Defaults are filled in only where no runtime can give another value: they would look like the run's own."""
    filled = Structural(RunSpec, rules, fills_in=True).schema()["properties"]
    spec = Structural(RunSpec, rules, fills_in=False).schema()
    spec["properties"] |= {name: filled[name] for name in OWN[()]}
    # Of a run without a runtime, rules require the same.
    del spec["required"]
    return spec


def status_schema() -> Schema:
    """The schema of `status`. None of its fields must be there: two managers write it, and first of all neither."""
    schema = Structural(RunStatus, fills_in=False).schema()
    del schema["required"]
    condition = schema["properties"]["conditions"]["items"]["properties"]
    for name, limits in _CONDITION.items():
        condition[name] |= limits
        condition[name].pop("enum", None)
    return {**schema, "default": UNSEEN}
