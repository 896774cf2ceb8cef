"""Mutations of valid runs, led by the schema: values at the edges of what is allowed and just beyond them.

Left out is what only the typed model checks (trainingrun.crd.rules.PARSE_ONLY), which tests name one by one.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st
from run_documents import as_kubectl_sends, document, gpus, recipe, samples

from trainingrun.crd.definition import run_schema

Schema = dict[str, Any]
Steps = tuple[str | int, ...]

SPEC: Schema = run_schema()["properties"]["spec"]

TEXTS = [
    "", "a", "A", "0", "-", "a-", "-a", "a.b", "a..b", "a_b", "a/b", "a:b", "m.n:f.g", "m:f:g", "1a:b", "a b", " a",
    "a\n", "\n", "\t", "\0", "\x7f", "\u00a0", "\u2028", "é", "٣", "𝄞", "s3://b/x", "s3://", "file:///x", "1s://x", "/",
    "/x", "/x:y", "x/y", "validation_loss", "validation_", "registry.example:5000/a/b@sha256:0", "Kelvin\u212a", "ﬀ",
]  # fmt: skip
AMOUNTS = [
    0, 1, 2, 4, 5, 64, 65, -1, 2**40, 2**62, "0", "-0", "1", "-1", "+1", "4", "5", "8", "64", "65", "4000m", "4001m",
    1, 2, 4, "1", "2", "4", "8Gi", "500m", "1000m", "0.5", ".5", "5.", "1e3", "1E3", "1e-3", "1e0", "4e0", "1e999",
    "1e-999", "-1e999", "1e1000", "16Gi", "17Gi", "16384Mi", "1.5Gi", "1k", "1Ki", "1n", "0.1n", "100Ti", "9Ei", "9E",
    "100E", "1ki", "1KB", "Ki", "", " 1", "1 ", "0x1", "1_0", "\u0663", "9" * 64, "9" * 65, "0" * 64, 0.5, 1e300, True,
    "NaN", "inf", "--1", "1.1.1", "00064",
]  # fmt: skip
_LONG_DOMAIN = f"{'a' * 63}.{'b' * 63}.example.com"
KEYS = [
    "cpu", "memory", "nvidia.com/gpu", "amd.com/gpu", "example.com/fpga", "ephemeral-storage", "gpu", "/gpu", "a//gpu",
    "A.com/gpu", "x" * 63, "x" * 64, "-x", "x-", "", "a b", "hugepages-2Mi", "a..b/x", f"{_LONG_DOMAIN}/x",
    "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb.me", "nvidia.com/rdma_shared", "google.com/tpu", "a.b/input",
    "x" * 253, "x" * 254, "é", "a\nb", "a\0",
]  # fmt: skip
_IDENTIFIERS = ["lr", "T_max", "num_classes", "_x", "X1", "a" * 128]
WRONG = [None, True, False, 0, 1, -1, 0.5, "", "x", [], {}, [{}], [None], {"a": 1}, [[]], 2**63, -(2**63) - 1]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0.5, -1e-9, 1e300, "", "x", "é\0"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "B", "é", ""]), inner, max_size=3)
    ),
    max_leaves=6,
)


def _numbers(schema: Schema) -> st.SearchStrategy[Any]:
    low, high = schema.get("minimum", -10), schema.get("maximum", 10)
    inside = st.sampled_from([edge for edge in (1, 2, 3, 4, 6, 8, low + 1, high) if low <= edge <= high])
    beyond = st.sampled_from(
        [low - 1, low, high - 1, high + 1, 0, 0.5, low + 0.25, high + 0.5, 2**31, 2**63 - 1, 2**63]
    )
    return inside | inside | inside | beyond


def _texts(schema: Schema) -> st.SearchStrategy[Any]:
    most = schema["maxLength"]
    edges = [start + "x" * (length - len(start)) for start in ("x", "/", "s3://", "m:") for length in (most, most + 1)]
    allowed = st.from_regex(schema.get("pattern", "x"), fullmatch=True).filter(lambda text: len(text) <= most)
    anything = st.sampled_from(TEXTS) | st.sampled_from(edges) | st.text(max_size=6)
    return (allowed | allowed | anything).filter(_is_unicode)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _keys(schema: Schema) -> st.SearchStrategy[str]:
    values = schema["additionalProperties"]
    if "x-kubernetes-preserve-unknown-fields" in values:
        return st.sampled_from(_IDENTIFIERS)
    return st.sampled_from(KEYS)


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Values for a place: mostly such as are allowed, some at the edges, and a few of other types."""
    return st.integers(0, 9).flatmap(
        lambda dice: st.sampled_from(WRONG).map(copy.deepcopy) if dice == 0 else _values(schema)
    )


def _values(schema: Schema) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from([*schema["enum"] * 3, "", schema["enum"][0].lower()])
    if schema.get("x-kubernetes-int-or-string"):
        return st.sampled_from(AMOUNTS)
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return json_values
    match schema["type"]:
        case "integer" | "number":
            return _numbers(schema)
        case "boolean":
            return st.booleans()
        case "string":
            return _texts(schema)
        case "array":
            return st.lists(st.deferred(lambda: _values(schema["items"])), max_size=3)
        case "object" if "additionalProperties" in schema:
            # Without null: the API server drops it from a map, where the model refuses it.
            inner = _values(schema["additionalProperties"])
            return st.dictionaries(_keys(schema), inner, max_size=3)
    needed = set(schema.get("required", ()))
    fields = {name: st.deferred(lambda field=field: _values(field)) for name, field in schema["properties"].items()}
    required = {name: field for name, field in fields.items() if name in needed}
    return st.fixed_dictionaries(required, optional={name: fields[name] for name in fields if name not in needed})


def schema_at(steps: Steps) -> Schema:
    schema = SPEC
    for step in steps:
        if isinstance(step, int):
            schema = schema["items"]
        else:
            schema = schema.get("properties", {}).get(step) or schema["additionalProperties"]
    return schema


def places(value: Any, schema: Schema, at: Steps = ()) -> list[tuple[Steps, Schema]]:
    """Every place of a spec that the schema knows, with its schema; not what is inside of preserved values."""
    if "x-kubernetes-preserve-unknown-fields" in schema:
        return [(at, schema)]
    found = [(at, schema)] if at else []
    if isinstance(value, dict) and schema.get("type") == "object":
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            found += places(inner, known, (*at, name)) if known else []
    if isinstance(value, list) and schema.get("type") == "array":
        for index, inner in enumerate(value):
            found += places(inner, schema["items"], (*at, index))
    return found


_PLACED = {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}]}
_VALIDATED = recipe(dataset={name: {"format": "Images", "path": "/d"} for name in ("train", "validation")})
BASES = [
    *samples(),
    document(),
    document(recipe=None, trainer={"command": ["python"], "args": ["x"], "numNodes": 2}),
    document(trainer=gpus(4, numNodes=2), recipe=recipe(mixedPrecision="FP16", gradientAccumulationSteps=2)),
    document(trainer=gpus("8", numProcPerNode=4), recipe=recipe(loop={"function": "m:f"}), data={"maxNodes": 4}),
    document(trainer=gpus("8", numProcPerNode=8), data={"numNodes": 2, "maxNodes": 4}),
    document(recipe=None, trainer={**gpus(4), "command": ["x"]}, data={"resourcesPerNode": {"limits": {"cpu": 2}}}),
    document(head={"resources": {"limits": {"cpu": 2, "memory": "8Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}}),
    document(recipe=_VALIDATED, storage={"uri": "s3://b", "checkpoints": {"best": {"metric": "validation_loss"}}}),
    document(podTemplatePatches=[{"target": "Head", "spec": _PLACED}]),
    document(failurePolicy={"rules": [{"action": "Fail", "onClasses": ["Hang"]}]}, env=[{"name": "A", "value": ""}]),
]


@st.composite
def mutated_runs(draw: st.DrawFn) -> Schema:
    """A valid run with one or two changes to its spec, now and then of its name."""
    run: Schema = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        _mutate(draw, run["spec"])
    if draw(st.integers(0, 29)) == 29:
        run["metadata"]["name"] = draw(
            st.sampled_from([text for text in TEXTS if "/" not in text] + ["a" * 63, "a" * 64])
        )
    match run["spec"].get("recipe"):
        case {"metrics": list(metrics)}:
            del metrics[1:]  # that their names differ is checked by the model alone
    sent: Schema = as_kubectl_sends(run)
    return sent


def _mutate(draw: st.DrawFn, spec: Schema) -> None:
    steps, schema = draw(st.sampled_from(places(spec, SPEC)))
    parent: Any = spec
    for step in steps[:-1]:
        parent = parent[step]
    change = draw(st.sampled_from(["replace", "replace", "add", "add", "remove", "repeat", "rename", "unknown"]))
    if change == "remove":
        del parent[steps[-1]]
    elif change == "add" and isinstance(parent[steps[-1]], dict) and _can_add(schema):
        _add(draw, parent[steps[-1]], schema)
    elif change == "repeat" and isinstance(parent, list):
        parent.extend([copy.deepcopy(parent[steps[-1]])] * draw(st.sampled_from([1, 2, 30])))
    elif change == "rename" and "additionalProperties" in schema_at(steps[:-1]):
        parent[draw(_keys(schema_at(steps[:-1])))] = parent.pop(steps[-1])
    elif change == "unknown" and isinstance(parent[steps[-1]], dict) and "properties" in schema:
        parent[steps[-1]][draw(st.sampled_from(["unknown", "Image", "num_nodes"]))] = 1
    else:
        of_a_map = "additionalProperties" in schema_at(steps[:-1])
        value = draw(_values(schema) if of_a_map else values(schema))
        parent[steps[-1]] = value


def _can_add(schema: Schema) -> bool:
    return "properties" in schema or "additionalProperties" in schema


def _add(draw: st.DrawFn, target: Schema, schema: Schema) -> None:
    if "properties" in schema:
        name = draw(st.sampled_from(sorted(schema["properties"])))
        target[name] = draw(values(schema["properties"][name]))
    else:
        target[draw(_keys(schema))] = draw(_values(schema["additionalProperties"]))
