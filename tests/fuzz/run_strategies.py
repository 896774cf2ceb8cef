"""What the fuzz tests feed in: valid documents, values that no document should hold, and mixtures of both."""

from __future__ import annotations

import copy
import datetime
from typing import Any

from hypothesis import strategies as st

names = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
variables = st.from_regex(r"[A-Z_]{1,12}", fullmatch=True)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
functions = st.fixed_dictionaries(
    {"function": st.sampled_from(["torch.optim:Adam", "a:b", "my.package.module:Class.method"])},
    optional={"parameters": st.dictionaries(variables, json_values, max_size=4)},
)
environments = st.lists(
    st.fixed_dictionaries({"name": variables, "value": texts})
    | st.fixed_dictionaries(
        {
            "name": variables,
            "valueFrom": st.fixed_dictionaries({"secretKeyRef": st.just({"name": "s", "key": "k"})}),
        }
    ),
    max_size=5,
    unique_by=lambda variable: variable["name"],
)
amounts = st.sampled_from([1, "2.5", "4", "500m", "16Gi", "1e3", "0.5", "2Ki"])
limits = st.fixed_dictionaries({}, optional={"cpu": amounts, "memory": amounts, "ephemeral-storage": amounts})
resources = st.fixed_dictionaries({}, optional={"limits": limits})
sources = st.fixed_dictionaries(
    {"format": st.sampled_from(["Images", "Parquet", "WebDataset"]), "path": st.just("s3://bucket/data/*")},
    optional={
        "imageSize": st.fixed_dictionaries({"height": st.integers(1, 65535), "width": st.integers(1, 65535)}),
        "imageMode": st.sampled_from(["L", "RGB"]),
    },
)
steps = functions.map(lambda function: {**function, "kind": "Class", "resources": {"cpu": "100m"}})
recipes = st.fixed_dictionaries(
    {"dataset": st.fixed_dictionaries({"train": sources}, optional={"validation": sources, "shuffle": st.booleans()})},
    optional={
        "transforms": st.lists(functions.map(lambda function: {**function, "kind": "Row"}) | steps, max_size=3),
        "model": functions,
        "optimizer": functions,
        "scheduler": functions.map(lambda function: {**function, "interval": "Step"}),
        "epochs": st.integers(1, 1_000_000),
        "maxGradNorm": st.floats(0.001, 1e9) | st.integers(1, 1000),
        "mixedPrecision": st.just("BF16"),
        "seed": st.integers(0, 2**32 - 1),
    },
)
storages = st.fixed_dictionaries(
    {},
    optional={
        "secretRef": st.just({"name": "s3"}),
        "runName": st.just("baseline-1"),
        "checkpoints": st.just({"numToKeep": 5, "everySteps": 100}),
    },
)
codes = st.sampled_from(
    [{"uri": "s3://bucket/code.tar.gz"}, {"configMapKeyRef": {"name": "digits-code", "key": "code.tar.gz"}}]
).map(lambda place: {**place, "sha256": "0a" * 32})
specs = st.fixed_dictionaries(
    {"image": st.sampled_from(["trainer", "registry.example:5000/a/b@sha256:0"]), "storage": storages},
    optional={
        "code": codes,
        "env": environments,
        "trainer": st.fixed_dictionaries(
            {"resourcesPerNode": resources},
            optional={"env": environments, "numNodes": st.sampled_from([1, 2, 4])},
        ),
        "data": st.fixed_dictionaries({"resourcesPerNode": resources, "maxNodes": st.integers(1, 1000)}),
        "suspend": st.booleans(),
        "backoffLimit": st.integers(0, 100),
        "activeDeadlineSeconds": st.integers(1, 31_536_000),
        "clusterTTLSecondsAfterFinished": st.just({"onFailure": 60}),
    },
)


@st.composite
def valid_documents(draw: st.DrawFn) -> dict[str, Any]:
    spec = draw(specs)
    if draw(st.booleans()):
        spec["storage"]["uri"] = "s3://bucket/runs"
    else:
        spec["storage"]["persistentVolumeClaim"] = {"claimName": "claim", "mountPath": "/mnt"}
    if draw(st.booleans()):
        spec["recipe"] = draw(recipes)
    else:
        spec.setdefault("trainer", {})["command"] = draw(st.lists(texts, min_size=1, max_size=4))
    metadata = {"name": draw(names), "labels": {"kueue.x-k8s.io/queue-name": draw(names)}}
    kind = {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun"}
    return {**kind, "metadata": metadata, "spec": spec}


hostile_values = st.sampled_from(
    [
        "x" * 2**20, "\0", "\ud800", "é" * 2**18, 10**5000, -(10**5000), 2**63, float("nan"), float("inf"),
        -0.0, 1e308, True, None, b"bytes", object(), {1: 2}, {"": ""}, [[]] * 1000, [None] * 10_000,
        {f"k{i}": i for i in range(10_000)}, {f"k{i}": {} for i in range(900)},
        [{"name": f"n{i}", "value": "v"} for i in range(10_000)],
        [{"name": "A", "value": 1}] * 256, [{"nam": "A"}] * 256, {1, 2}, (1, 2),
        datetime.date(2026, 1, 1), int, print,
        "1e999999999", "9" * 5000, {"function": "a:b", "parameters": {"x" * 2**18: 1}}, {"x" * 2**20: 1},
        {"limits": {f"k{i}": "1e9999999" for i in range(900)}}, range(10**9), iter([1]),
    ]
)  # fmt: skip


def places_in(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [place for key, item in items for place in places_in(item, (*at, key))]


@st.composite
def mutated_documents(draw: st.DrawFn) -> Any:
    """A valid document with a few values replaced, taken away or added."""
    document = copy.deepcopy(draw(valid_documents()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places_in(document)))
        parent: Any = document
        for step in place[:-1]:
            parent = parent[step]
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "remove":
            del parent[place[-1]]
        elif change == "replace" or isinstance(parent, list):
            parent[place[-1]] = copy.deepcopy(draw(json_values | hostile_values))
        else:
            parent[draw(texts)] = copy.deepcopy(draw(json_values | hostile_values))
        if not places_in(document):
            break
    return document
