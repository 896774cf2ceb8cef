"""Whatever comes in, parsing ends quickly in a Run or in InvalidSpec, and a Run survives the way back."""

from __future__ import annotations

import copy
import datetime
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainingrun.errors import InvalidSpec
from trainingrun.spec import Run, parse
from trainingrun.spec.documents import Reading, read_text
from trainingrun.spec.paths import join_path, split_path
from trainingrun.spec.quantity import Quantity

LIMIT_SECONDS = 0.05

Result = TypeVar("Result")
fuzz = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def within_limit(work: Callable[[], Result]) -> Result:
    """The result, which must come within the limit; a stall of the machine is told apart by a second try."""
    for _ in range(3):
        start = time.process_time()
        result = work()
        spent = time.process_time() - start
        if spent <= LIMIT_SECONDS:
            return result
    raise AssertionError(f"{1000 * spent:.0f} ms of CPU")


def outcome_of(value: object) -> Run | InvalidSpec:
    try:
        return parse(value)
    except InvalidSpec as error:
        return error


@pytest.fixture(scope="module", autouse=True)
def _schema_is_built() -> None:
    """Build the schema that words are made from, once, outside the measured time."""
    outcome_of({})


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
amounts = st.sampled_from([1, 2.5, "4", "500m", "16Gi", "1e3", "0.5", "2Ki"])
limits = st.fixed_dictionaries({}, optional={"cpu": amounts, "memory": amounts, "ephemeral-storage": amounts})
resources = st.fixed_dictionaries({}, optional={"limits": limits})
sources = st.fixed_dictionaries(
    {"format": st.sampled_from(["Images", "WebDataset"]), "path": st.just("s3://bucket/data/*")},
    optional={
        "imageSize": st.fixed_dictionaries({"height": st.integers(1, 65535), "width": st.integers(1, 65535)}),
        "imageMode": st.sampled_from(["L", "RGB"]),
    },
)
recipes = st.fixed_dictionaries(
    {
        "dataset": st.fixed_dictionaries(
            {"train": sources}, optional={"validation": sources, "shuffle": st.booleans()}
        )
    },
    optional={
        "transform": functions.map(lambda function: {**function, "kind": "Batch", "batchFormat": "Arrow"}),
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
        "checkpoints": st.just({"numToKeep": 5, "everySteps": 100}),
    },
)
specs = st.fixed_dictionaries(
    {"image": st.sampled_from(["trainer", "registry.example:5000/a/b@sha256:0"]), "storage": storages},
    optional={
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


def nested(depth: int, kind: type) -> Any:
    value: Any = kind()
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


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
            parent[place[-1]] = draw(json_values | hostile_values)
        else:
            parent[draw(texts)] = draw(json_values | hostile_values)
        if not places_in(document):
            break
    return document


@fuzz
@given(valid_documents())
def test_a_valid_document_is_parsed_and_survives_the_way_back(document):
    before = copy.deepcopy(document)
    run = within_limit(lambda: parse(document))
    assert document == before
    written = run.to_document()
    assert parse(written) == run
    assert parse(written).to_document() == written
    assert parse(yaml.safe_load(yaml.safe_dump(written))) == run


@fuzz
@given(mutated_documents())
def test_a_broken_document_gets_problems_with_readable_paths_in_time(document):
    outcome = within_limit(lambda: outcome_of(document))
    if isinstance(outcome, InvalidSpec):
        assert 0 < len(outcome.problems) <= 201
        for problem in outcome.problems:
            assert problem.path and problem.found and problem.allowed
            assert len(str(problem)) < 2000
            assert join_path(split_path(problem.path)) == problem.path
        str(outcome).encode()


@fuzz
@given(
    json_values
    | hostile_values
    | st.dictionaries(st.sampled_from(["spec", "metadata", "kind"]), hostile_values)
)
def test_any_object_is_parsed_or_refused_in_time(value):
    within_limit(lambda: outcome_of(value))


@pytest.mark.parametrize("kind", [list, dict])
@pytest.mark.parametrize("depth", [30, 33, 1000, 100_000])
def test_deep_nesting_is_refused_in_time(kind, depth):
    value = {"apiVersion": "trainingrun.dev/v1beta1", "spec": {"recipe": nested(depth, kind)}}
    assert isinstance(within_limit(lambda: outcome_of(value)), InvalidSpec)
    while value:  # Taken apart from outside: freeing it as a whole would need as deep a stack.
        value = value.popitem()[1] if isinstance(value, dict) else value.pop()


def test_an_object_that_contains_itself_is_refused_in_time():
    loop: list[Any] = []
    loop.extend([loop] * 50)
    wide: Any = ["x"]
    for _ in range(25):
        wide = [wide] * 10
    for value in (loop, wide, {"spec": loop, "metadata": {"labels": wide}}):
        assert isinstance(within_limit(lambda value=value: outcome_of(value)), InvalidSpec)


yaml_pieces = st.sampled_from(
    ["- ", ": ", "\n", "  ", "a", "spec", "&a ", "*a", "!!int ", "!x ", "{", "}", "[", "]",
     "'", '"', "|", ">", "#", "---\n", "...\n", "? ", "<<: ", "%YAML 1.1\n",
     "\t", "~", "1", "é", "\u2028", "\x85", "\ufeff", "\0", "kind: TrainingRun\n"]
)  # fmt: skip
yaml_texts = st.text(max_size=200) | st.lists(yaml_pieces, max_size=60).map("".join)


def check_reading(text: bytes) -> None:
    reading: Reading = within_limit(lambda: read_text("run.yaml", text))
    lines = text.count(b"\n") + text.count(b"\r") + text.count("\x85".encode()) + 1
    lines += text.count("\u2028".encode()) + text.count("\u2029".encode())
    for problem in reading.problems:
        assert problem.line <= lines + 1
        assert str(problem).startswith("run.yaml")


@fuzz
@given(yaml_texts.map(lambda text: text.encode("utf-8", "replace")) | st.binary(max_size=200))
def test_any_text_is_read_or_refused_in_time(text):
    check_reading(text)


@fuzz
@given(valid_documents(), st.data())
def test_a_valid_file_with_a_few_characters_changed_is_read_or_refused_in_time(document, data):
    text = yaml.safe_dump(document, default_flow_style=data.draw(st.sampled_from([True, False, None])))
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(yaml_pieces) + text[place + data.draw(st.integers(0, 5)) :]
    check_reading(text.encode("utf-8", "replace"))


@fuzz
@given(valid_documents(), st.booleans())
def test_a_file_of_a_valid_document_holds_the_same_run(document, flow):
    # Quoted, because PyYAML leaves text such as 0E0 plain, which kubectl and we read as a number.
    text = yaml.safe_dump(document, default_flow_style=flow, default_style='"')
    reading = read_text("run.yaml", text.encode())
    assert [str(problem) for problem in reading.problems] == []
    assert reading.runs[0].run == parse(document)


@fuzz
@given(
    st.text(max_size=12)
    | st.from_regex(r"[+-]?[0-9.]{1,8}([numkMGTPE]i?|[eE][+-]?[0-9]{1,3})?", fullmatch=True)
)
def test_a_quantity_has_a_value_or_is_refused_and_its_canonical_form_means_the_same(text):
    try:
        quantity = Quantity(text)
    except ValueError:
        return
    canonical = within_limit(
        lambda: Quantity(quantity.canonical) if len(quantity.canonical) <= 64 else quantity
    )
    assert canonical == quantity
    assert canonical.canonical == quantity.canonical
    assert quantity.bytes >= quantity.value


@fuzz
@given(st.lists(st.text(max_size=20) | st.integers(0, 10_000), max_size=6))
def test_every_path_can_be_read_again(steps):
    assert split_path(join_path(steps)) == tuple(steps)
