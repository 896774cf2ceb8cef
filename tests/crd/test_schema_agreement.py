"""The schema accepts what the typed model accepts.

tests/apiserver asks a real API server, which also runs the rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from run_strategies import mutated_documents, valid_documents
from schemas import spec_as_json_schema

from trainingrun.errors import InvalidSpec
from trainingrun.spec import parse

SAMPLES = sorted((Path(__file__).parents[2] / "manifests" / "samples").glob("*.yaml"))
VALIDATOR = jsonschema.Draft4Validator(spec_as_json_schema())
fuzz = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def without_nulls(value: Any) -> Any:
    """As the API server sees a document: a null is a field that is not there. Parameters may hold nulls."""
    if isinstance(value, dict):
        return {
            name: inner if name == "parameters" else without_nulls(inner)
            for name, inner in value.items()
            if inner is not None
        }
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


def complaints(document: dict[str, Any]) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(without_nulls(document["spec"]))]


def test_the_schema_itself_is_valid():
    jsonschema.Draft4Validator.check_schema(VALIDATOR.schema)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_every_sample_is_valid(sample):
    documents = list(yaml.safe_load_all(sample.read_text()))
    runs = [document for document in documents if document["kind"] == "TrainingRun"]
    assert runs and [complaints(run) for run in runs] == [[] for _ in runs]


@fuzz
@given(valid_documents())
def test_a_valid_document_is_accepted(document):
    assert complaints(document) == []


@fuzz
@given(mutated_documents())
def test_what_the_model_accepts_the_schema_accepts(document):
    try:
        parse(document)
    except InvalidSpec:
        return
    assert complaints(document) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image": "a b"}, "does not match"),
        ({"image": "a\u00a0b"}, "does not match"),
        ({"backoffLimit": 101}, "greater than the maximum"),
        ({"trainer": {"numNodes": True}}, "is not of type 'integer'"),
        ({"trainer": {"resourcesPerNode": {"limits": {"cpu": 0.5}}}}, "is not of type 'integer', 'string'"),
        ({"trainer": {"resourcesPerNode": {"limits": {"cpu": "4 cores"}}}}, "does not match"),
        ({"recipe": {"dataset": {"train": {"format": "Parquet", "path": "/x"}}, "maxGradNorm": 0}}, "minimum"),
        ({"replicas": 3}, "Additional properties are not allowed"),
        ({"env": [{"value": "x"}]}, "'name' is a required property"),
    ],
    ids=str,
)
def test_a_fault_is_refused_by_both(change, complaint):
    document = yaml.safe_load(SAMPLES[0].read_text())
    document["spec"] |= change
    assert any(complaint in said for said in complaints(document))
    with pytest.raises(InvalidSpec):
        parse(document)
