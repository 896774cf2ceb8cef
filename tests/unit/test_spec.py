"""A TrainingRun is parsed into a typed model with defaults, or refused with every problem."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from trainingrun.errors import InvalidSpec
from trainingrun.spec import Run, parse
from trainingrun.spec.documents import load_runs

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"


def document(**spec: Any) -> dict[str, Any]:
    """A valid document with these fields of its spec changed; None takes a field away."""
    recipe = {"dataset": {"train": {"format": "Parquet", "path": "/data/train"}}}
    fields = {"image": "trainer:1", "recipe": recipe, "storage": {"uri": "s3://bucket/runs"}, **spec}
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "mnist"},
        "spec": {name: value for name, value in fields.items() if value is not None},
    }


def recipe(**fields: Any) -> dict[str, Any]:
    return {"dataset": {"train": {"format": "Parquet", "path": "/data/train"}}, **fields}


def gpus(count: object) -> dict[str, Any]:
    return {"limits": {"nvidia.com/gpu": count}}


def problems_of(value: object) -> dict[str, str]:
    """What was found at each path that is wrong."""
    with pytest.raises(InvalidSpec) as caught:
        parse(value)
    return {problem.path: problem.found for problem in caught.value.problems}


def test_a_short_document_gets_the_documented_defaults():
    spec = parse(document()).spec
    assert spec.recipe is not None
    assert spec.recipe.transform.function == "trainingrun_trainer.vision:normalize"
    assert (spec.recipe.transform.kind, spec.recipe.transform.resolved_batch_format) == ("Batch", "NumPy")
    assert spec.recipe.model.function == "trainingrun_trainer.vision:resnet18"
    assert spec.recipe.optimizer.parameters == {"lr": 0.001}
    assert (spec.recipe.epochs, spec.recipe.global_batch_size, spec.recipe.seed) == (10, 512, 0)
    assert spec.recipe.dataset.validation is None
    assert (spec.trainer.num_nodes, spec.trainer.processes_per_node, spec.trainer.num_processes) == (1, 1, 1)
    assert {name: str(q) for name, q in spec.data.resources_per_node.limits.items()} == {
        "cpu": "4",
        "memory": "16Gi",
    }
    assert {name: str(q) for name, q in spec.head.resources.limits.items()} == {"cpu": "2", "memory": "8Gi"}
    assert spec.storage.checkpoints.num_to_keep == 3
    assert (spec.backoff_limit, spec.start_deadline_seconds, spec.progress_deadline_seconds) == (
        3,
        3600,
        1800,
    )
    ttl = spec.cluster_ttl_seconds_after_finished
    assert (ttl.on_success, ttl.on_failure) == (0, 600)


def test_processes_per_node_follow_the_gpus_of_any_maker():
    for key in ("nvidia.com/gpu", "amd.com/gpu"):
        trainer = parse(document(trainer={"numNodes": 2, "resourcesPerNode": {"limits": {key: "4"}}})).spec.trainer
        assert (trainer.resources_per_node.gpus, trainer.processes_per_node, trainer.num_processes) == (
            4,
            4,
            8,
        )
        assert str(trainer.resources_per_node.limits["memory"]) == "16Gi"
    loop = recipe(loop={"function": "a:b"})
    fewer = parse(document(trainer={"numProcPerNode": 2, "resourcesPerNode": gpus(4)}, recipe=loop)).spec.trainer
    assert fewer.processes_per_node == 2


def test_what_kubernetes_adds_to_a_document_is_no_problem():
    seen = document()
    seen["status"] = {"conditions": "anything"}
    seen["metadata"] |= {
        "managedFields": [{"fieldsV1": {}}],
        "generation": 3,
        "uid": "6f0c",
        "namespace": "ml",
    }
    run = parse(seen)
    assert (run.metadata.name, run.metadata.uid, run.metadata.namespace) == ("mnist", "6f0c", "ml")


def selector(key: str) -> dict[str, Any]:
    return document(podTemplatePatches=[{"target": "Head", "spec": {"nodeSelector": {key: "yes"}}}])


@pytest.mark.parametrize("key", ["disk", "example.com/disk", "x" * 63, f"{'a' * 63}.{'b' * 63}.com/x"])
def test_keys_of_labels_are_those_of_kubernetes(key):
    assert parse(selector(key)).spec.pod_template_patches[0].spec.node_selector == {key: "yes"}


@pytest.mark.parametrize("key", ["", "x" * 64, "a b", "-a", "a..b/x", "A.com/x", "/x", "a/b/c", "a" * 318])
def test_other_keys_of_labels_are_refused(key):
    (found,) = problems_of(selector(key)).values()
    assert found == "this key"


def test_null_means_not_given():
    assert parse(document() | {"status": None}).spec == parse(document()).spec
    nulls = document(trainer={"numNodes": None, "command": None}, recipe=recipe(epochs=None, scheduler=None))
    nulls["spec"]["data"] = None
    assert parse(nulls).spec.data.num_nodes == 1
    nulls["spec"]["image"] = None
    assert problems_of(nulls) == {"spec.image": "nothing"}


def test_parameters_keep_every_json_value():
    given = {"lr": 1, "betas": [0.9, 0.999], "nested": {"a": None}, "flag": True, "name": "x"}
    run = parse(document(recipe=recipe(optimizer={"function": "torch.optim:Adam", "parameters": given})))
    assert run.spec.recipe is not None
    assert run.spec.recipe.optimizer.parameters == given
    assert run.to_document()["spec"]["recipe"]["optimizer"]["parameters"] == given


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_every_sample_is_valid_and_survives_the_way_back(sample):
    runs = [loaded.run for loaded in load_runs(sample)]
    assert runs
    for run in runs:
        assert parse(run.to_document()) == run
        assert parse(copy.deepcopy(run.to_document())).to_document() == run.to_document()


def test_a_document_written_again_holds_only_what_was_given():
    given = document(trainer={"numNodes": 2}, data={"env": [{"name": "A", "value": "1"}]})
    assert parse(given).to_document() == given


def test_the_full_sample_and_that_of_runtimes_use_every_field():
    texts = [(SAMPLES / name).read_text() for name in ("full.yaml", "runtime.yaml")]
    documents = [found for text in texts for found in yaml.safe_load_all(text) if found["kind"] == "TrainingRun"]
    assert missing_fields(Run, documents) == []


def missing_fields(model: type[Run], documents: list[Any]) -> list[str]:
    schema = model.model_json_schema(by_alias=True)
    used: dict[str, set[str]] = {}

    def walk(part: dict[str, Any], value: Any) -> None:
        while "$ref" in part or "anyOf" in part:
            if "$ref" in part:
                name = part["$ref"].rsplit("/", 1)[1]
                part = schema["$defs"][name] | {"title": name}
            elif "x-kubernetes-int-or-string" in part:
                return
            else:
                part = part["anyOf"][0]
        if isinstance(value, list):
            for item in value:
                walk(part["items"], item)
        elif isinstance(value, dict) and "properties" in part:
            used.setdefault(part["title"], set()).update(value)
            for key, item in value.items():
                walk(part["properties"][key], item)

    for found in documents:
        walk(schema, found)
    expected = {name: set(part["properties"]) for name, part in schema["$defs"].items() if "properties" in part}
    # Kubernetes sets the uid; tolerations are Kubernetes' own and shown by example.
    expected["Metadata"] -= {"uid"}
    expected.pop("Toleration")
    return sorted(f"{name}.{field}" for name, fields in expected.items() for field in fields - used.get(name, set()))


def test_every_field_says_its_unit_and_limits_and_is_bounded():
    schema = Run.model_json_schema()
    for name, part in schema["$defs"].items():
        for field, rules in part.get("properties", {}).items():
            # A field whose words are those of its type is written as a bare reference.
            described = rules if "description" in rules else schema["$defs"][rules["$ref"].rsplit("/", 1)[1]]
            assert described["description"], f"{name}.{field} has no description"
            for bounded in rules.get("anyOf", [rules]):
                check_bounds(f"{name}.{field}", bounded)


def check_bounds(where: str, rules: dict[str, Any]) -> None:
    if "enum" in rules or "const" in rules:
        return
    needed = {
        "string": ["maxLength"],
        "array": ["maxItems"],
        "integer": ["minimum", "maximum"],
        "number": ["maximum"],
        "object": ["maxProperties"],
    }
    if "x-kubernetes-int-or-string" not in rules and "properties" not in rules:
        for bound in needed.get(rules.get("type", ""), []):
            assert bound in rules, f"{where} has no {bound}"
    if isinstance(rules.get("items"), dict):
        check_bounds(f"{where}[]", rules["items"])
    if isinstance(rules.get("additionalProperties"), dict):
        check_bounds(f"{where}{{}}", rules["additionalProperties"])


def test_a_run_cannot_be_changed():
    run = parse(document())
    with pytest.raises(ValidationError):
        run.spec.suspend = True  # type: ignore[misc]
