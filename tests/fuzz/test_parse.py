"""Whatever comes in, parsing ends quickly in a Run or in InvalidSpec, and a Run survives the way back."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from run_strategies import hostile_values, json_values, mutated_documents, valid_documents

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


def nested(depth: int, kind: type) -> Any:
    value: Any = kind()
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


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
@given(json_values | hostile_values | st.dictionaries(st.sampled_from(["spec", "metadata", "kind"]), hostile_values))
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
@given(st.text(max_size=12) | st.from_regex(r"[+-]?[0-9.]{1,8}([numkMGTPE]i?|[eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_a_quantity_has_a_value_or_is_refused_and_its_canonical_form_means_the_same(text):
    try:
        quantity = Quantity(text)
    except ValueError:
        return
    canonical = within_limit(lambda: Quantity(quantity.canonical) if len(quantity.canonical) <= 64 else quantity)
    assert canonical == quantity
    assert canonical.canonical == quantity.canonical
    assert quantity.bytes >= quantity.value


@fuzz
@given(st.lists(st.text(max_size=20) | st.integers(0, 10_000), max_size=6))
def test_every_path_can_be_read_again(steps):
    assert split_path(join_path(steps)) == tuple(steps)
