"""TrainingRuns for tests: documents with a few fields changed, the samples, and what the two judges say of each."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from raw_client import Object, RawClient, Refused, path_of

from trainingrun.errors import InvalidSpec
from trainingrun.spec import Run, parse
from trainingrun.spec.runtime import check_alone, reference_of

_SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
# What the API server answers when it refuses a document for what is in it.
_UNPROCESSABLE = (400, 422)


def samples() -> list[Object]:
    """Every run in manifests/samples that is whole without a runtime."""
    texts = [path.read_text() for path in sorted(_SAMPLES.glob("*.yaml"))]
    documents = [as_kubectl_sends(document) for text in texts for document in yaml.safe_load_all(text) if document]
    found = [document for document in documents if document["kind"] == "TrainingRun"]
    found = [document for document in found if "runtimeRef" not in document["spec"]]
    for document in found:
        document["metadata"].pop("namespace", None)
    return found


def as_kubectl_sends(value: Any) -> Any:
    """A document with whole floats as integers: JSON that Go makes has no fraction where there is none."""
    if isinstance(value, dict):
        return {name: as_kubectl_sends(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_kubectl_sends(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


def document(name: str = "mnist", **spec: Any) -> Object:
    """A short valid run with these fields of its spec changed; None takes a field away."""
    fields = {"image": "trainer:1", "recipe": recipe(), "storage": {"uri": "s3://bucket/runs"}, **spec}
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": name},
        "spec": {field: value for field, value in fields.items() if value is not None},
    }


def recipe(**fields: Any) -> Object:
    return {"dataset": {"train": {"format": "Parquet", "path": "/data/train"}}, **fields}


def gpus(count: object, **fields: Any) -> Object:
    """A trainer with so many GPUs in each pod."""
    return {"resourcesPerNode": {"limits": {"nvidia.com/gpu": count}}, **fields}


def full_run(name: str) -> Object:
    """The sample in which every field of the API is set."""
    (found,) = (run for run in samples() if "podTemplatePatches" in run["spec"])
    full: Object = copy.deepcopy(found)
    full["metadata"]["name"] = name
    return full


def model_says(run: Object) -> Run | InvalidSpec:
    """Of a run with a runtime, what can be said without that one, as the API server does."""
    judge = parse if reference_of(run) is None else check_alone
    try:
        return judge(copy.deepcopy(run))
    except InvalidSpec as error:
        return error


def server_says(admin: RawClient, run: Object, namespace: str = "default") -> Object | Refused:
    """What would be stored, or the refusal. Nothing is stored; unknown fields are refused, as kubectl has it."""
    path = path_of("trainingruns", None, namespace)
    try:
        return admin.request("POST", path, run, dryRun="All", fieldValidation="Strict")
    except Refused as refusal:
        assert refusal.code in _UNPROCESSABLE, refusal
        return refusal
