"""The chart refuses values that mean nothing, and its schema, values and settings name the same things."""

from __future__ import annotations

import dataclasses
import itertools
import json
from typing import Any

import pytest
import yaml
from rendering import CHART, Manifests, Object, Refused

from trainingrun.engine.settings import InvalidSettings, Settings, load_settings, variable_of

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Settings that the chart gives by itself, from other values or from what it makes.
_BY_THE_CHART = {
    "namespaces",
    "lease_name",
    "lease_namespace",
    "bind_address",
    "health_port",
    "progress_port",
    "progress_url",
    "progress_certificate",
    "progress_key",
    "progress_ca",
}
# For work outside of a cluster.
_OUTSIDE = {"kubeconfig", "context", "leader_election"}


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"replica": 2}, "replica"),
        ({"replicas": 0}, "replicas"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"namespaces": ["Training"]}, "namespaces"),
        ({"namespaces": "training"}, "namespaces"),
        ({"settings": {"logLevel": "verbose"}}, "logLevel"),
        ({"settings": {"log_level": "debug"}}, "log_level"),
        ({"networkPolicy": {"runs": "training"}}, "runs"),
        ({"networkPolicy": {"apiServerPorts": []}}, "apiServerPorts"),
        ({"networkPolicy": {"apiServerAddresses": ["10.0.0.1"]}}, "apiServerAddresses"),
        ({"extraEnv": [{"name": "TRAININGRUN_OPERATOR_WORKERS", "value": "4"}]}, "extraEnv"),
        ({"extraVolumes": [{"name": "certificate", "emptyDir": {}}]}, "extraVolumes"),
        ({"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/trainingrun/certificate"}]}, "extraVolumeMounts"),
        ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "commonLabels"),
        ({"nameOverride": "a b"}, "nameOverride"),
        ({"serviceAccount": {"name": "A"}}, "serviceAccount"),
        ({"metrics": {"serviceMonitor": True}}, "serviceMonitor"),
        ({"metrics": {"serviceMonitor": {"interval": "30"}}}, "interval"),
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_its_name(manifests: Manifests, values: Object, word: str) -> None:
    with pytest.raises(Refused, match=word):
        manifests.chart(values)


def keys(value: Any, schema: Any) -> set[str]:
    """Dotted names of everything that a schema describes in detail, or values hold there."""
    inner = schema.get("properties", {}) if schema else {}
    found = set()
    for name in inner if value is None else value:
        below = inner.get(name, {})
        if "properties" in below:
            found |= {f"{name}.{key}" for key in keys(None if value is None else value[name], below)}
        else:
            found.add(name)
    return found


def test_schema_and_values_have_the_same_names() -> None:
    described = {key for key in keys(None, SCHEMA) if not key.startswith("settings.")} - {"global"}
    assert keys({key: value for key, value in VALUES.items() if key != "settings"}, SCHEMA) == described


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def test_every_setting_of_the_operator_can_be_set() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    own = {camel(name) for name in fields - _BY_THE_CHART - _OUTSIDE}
    assert set(SCHEMA["properties"]["settings"]["properties"]) == own


def test_the_bounds_of_settings_are_those_of_the_operator() -> None:
    described = SCHEMA["properties"]["settings"]["properties"]
    numbers = {name: rule for name, rule in described.items() if rule.get("type") == "integer"}
    assert len(numbers) == 6
    for field in dataclasses.fields(Settings):
        rule = numbers.get(camel(field.name))
        if rule is None:
            continue
        for bound in (rule["minimum"], rule["maximum"]):
            load_settings({}, {variable_of(field.name): str(bound)})
        for beyond in (rule["minimum"] - 1, rule["maximum"] + 1):
            with pytest.raises(InvalidSettings):
                load_settings({}, {variable_of(field.name): str(beyond)})


def test_every_value_is_explained_where_it_stands() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    unexplained = [
        line.split(":")[0].strip()
        for before, line in itertools.pairwise(lines)
        if line.endswith((" true", " false", '""', "[]", "{}")) and not before.strip().startswith("#")
    ]
    # Known to everybody who places pods.
    usual = {"podLabels", "podAnnotations", "priorityClassName", "nodeSelector", "tolerations", "affinity"}
    usual |= {"runAsNonRoot", "allowPrivilegeEscalation", "readOnlyRootFilesystem"}
    assert set(unexplained) - usual == {"imagePullSecrets", "annotations"}
