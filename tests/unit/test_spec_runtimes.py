"""What a run gets from its runtime: the rules of merging, and what each of the two must be by itself."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainingrun.crd.rules import RULES
from trainingrun.errors import InvalidSpec
from trainingrun.spec import parse
from trainingrun.spec.documents import read_files
from trainingrun.spec.explain import explained
from trainingrun.spec.merge import ALTERNATIVES, leaves, merged, origin
from trainingrun.spec.runtime import MAX_BYTES, check_alone, parse_runtime, parse_with

Body = dict[str, Any]
RECIPE = {"dataset": {"train": {"format": "Parquet", "path": "/data"}}}
HEAD = {"apiVersion": "trainingrun.dev/v1beta1", "kind": "TrainingRun", "metadata": {"name": "mnist"}}
CLAIM = {"claimName": "team", "mountPath": "/mnt/team"}

_amounts = st.fixed_dictionaries({}, optional={"cpu": st.integers(1, 4), "memory": st.sampled_from(["1Gi", "2Gi"])})
_groups = st.fixed_dictionaries(
    {}, optional={"numNodes": st.sampled_from([1, 2]), "resourcesPerNode": st.fixed_dictionaries({"limits": _amounts})}
)
_values = st.one_of(
    st.fixed_dictionaries({"value": st.sampled_from("abc")}),
    st.just({"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}),
)
_variables = st.dictionaries(st.sampled_from("ABCD"), _values, max_size=4).map(
    lambda values: [{"name": name, **value} for name, value in values.items()]
)
_storages = st.one_of(
    st.just({"uri": "s3://a/b"}),
    st.just({"persistentVolumeClaim": CLAIM}),
    st.just({}),
    st.just({"uri": "s3://c/d", "checkpoints": {"numToKeep": 2}}),
)
_patches = st.dictionaries(
    st.sampled_from(["Head", "Data", "Trainer"]),
    st.dictionaries(st.sampled_from(["disk", "zone"]), st.sampled_from("xy")),
    max_size=3,
).map(lambda targets: [{"target": key, "spec": {"nodeSelector": value}} for key, value in targets.items()])
parts = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["a", "b"]),
        "env": _variables,
        "trainer": _groups,
        "data": _groups,
        "storage": _storages,
        "imagePullSecrets": st.lists(st.fixed_dictionaries({"name": st.sampled_from("ab")}), max_size=2),
        "podTemplatePatches": _patches,
        "backoffLimit": st.integers(0, 5),
    },
)
properties = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def at(value: Any, steps: tuple[str | int, ...]) -> Any:
    return functools.reduce(lambda inner, step: inner[step], steps, value)


@properties
@given(parts)
def test_nothing_merged_with_something_is_that(part: Body) -> None:
    assert merged({}, part) == part == merged(part, {})


@properties
@given(parts, parts)
def test_merging_again_changes_nothing(template: Body, run: Body) -> None:
    before = copy.deepcopy((template, run))
    once = merged(template, run)
    assert merged(template, once) == once
    assert merged(once, run) == once
    assert (template, run) == before


@properties
@given(parts, parts)
def test_the_run_wins_and_every_value_is_one_of_the_two(template: Body, run: Body) -> None:
    whole = merged(template, run)
    told = {"run": 0, "runtime": 0}
    for steps, value in leaves(whole):
        if value in ({}, []):
            continue
        found = origin(steps, template, run)
        assert found in told, (steps, found)
        told[found] += 1
        if all(isinstance(step, str) for step in steps):
            assert at({"run": run, "runtime": template}[found], steps) == value
    written = [steps for steps, value in leaves(run) if value not in ({}, [])]
    assert told["run"] == len(written)


@properties
@given(parts, parts)
def test_of_two_alternatives_one_is_left_and_names_stay_unique(template: Body, run: Body) -> None:
    whole = {"image": "a", "trainer": {}, "storage": {"uri": "s3://x/y"}} | merged(template, run)
    whole["trainer"] = whole["trainer"] | {"command": ["x"]}
    whole["storage"] = merged({"storage": {"uri": "s3://x/y"}}, {"storage": whole["storage"]})["storage"]
    assert parse({**HEAD, "spec": whole}).spec.image == whole["image"]


@pytest.mark.parametrize(
    ("template", "run", "whole"),
    [
        ({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
         {"env": [{"name": "C", "value": "4"}, {"name": "B", "value": "3"}]},
         {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}),
        ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]},
         {"env": [{"name": "A", "value": ""}]}, {"env": [{"name": "A", "value": ""}]}),
        ({"storage": {"uri": "s3://a/b", "secretRef": {"name": "s"}}}, {"storage": {"persistentVolumeClaim": CLAIM}},
         {"storage": {"persistentVolumeClaim": CLAIM, "secretRef": {"name": "s"}}}),
        ({"code": {"uri": "s3://a/b", "sha256": "0"}}, {"code": {"configMapKeyRef": {"name": "c"}, "sha256": "1"}},
         {"code": {"configMapKeyRef": {"name": "c"}, "sha256": "1"}}),
        ({"imagePullSecrets": [{"name": "a"}]}, {"imagePullSecrets": [{"name": "b"}]},
         {"imagePullSecrets": [{"name": "b"}]}),
        ({"imagePullSecrets": [{"name": "a"}]}, {"imagePullSecrets": []}, {"imagePullSecrets": []}),
        ({"backoffLimit": 5}, {"backoffLimit": None}, {"backoffLimit": 5}),
        ({"failurePolicy": {"rules": [{"action": "Fail"}]}}, {"failurePolicy": {"rules": [{"action": "Count"}]}},
         {"failurePolicy": {"rules": [{"action": "Count"}]}}),
        ({"podTemplatePatches": [{"target": "Data", "spec": {"nodeSelector": {"a": "1", "b": "1"}}}]},
         {"podTemplatePatches": [{"target": "Data", "spec": {"nodeSelector": {"b": "2"}}}]},
         {"podTemplatePatches": [{"target": "Data", "spec": {"nodeSelector": {"a": "1", "b": "2"}}}]}),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"key": "A"}]}, {"env": [{"key": "A"}]}),
    ],
)  # fmt: skip
def test_what_is_merged_and_what_is_replaced(template: Body, run: Body, whole: Body) -> None:
    assert merged(template, run) == whole


def test_every_choice_of_the_api_is_known_to_the_merge() -> None:
    chosen = {rule.model.__name__ for rule in RULES if rule.message.startswith("exactly one of")}
    # Entries of a list that a run replaces as a whole, and what is each run's own.
    assert chosen - {"FailureRule", "InitialCheckpoint", "RunSpec"} == set(ALTERNATIVES)


def runtime(kind: str = "ClusterTrainingRuntime", **template: Any) -> Body:
    head = {"apiVersion": "trainingrun.dev/v1beta1", "kind": kind, "metadata": {"name": "gpu"}}
    return {**head, "spec": {"template": template}}


def needy(**spec: Any) -> Body:
    return {**HEAD, "spec": {"runtimeRef": {"name": "gpu"}, "recipe": RECIPE, **spec}}


def problems_of(read: Any, *arguments: Any) -> dict[str, str]:
    with pytest.raises(InvalidSpec) as raised:
        read(*arguments)
    return {problem.path: problem.found for problem in raised.value.problems}


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        (runtime(image="a b"), ["spec.template.image"]),
        (runtime(recipe=RECIPE), ["spec.template.recipe"]),
        (runtime(trainer={"command": ["x"], "args": ["y"]}),
         ["spec.template.trainer.args", "spec.template.trainer.command"]),
        (runtime(storage={"runName": "x"}), ["spec.template.storage.runName"]),
        (runtime(nothing=1), ["spec.template.nothing"]),
        (runtime(env=[{"name": "A"}]), ["spec.template.env[0]"]),
        (runtime(storage={"uri": "s3://a/b", "persistentVolumeClaim": CLAIM}), ["spec.template.storage"]),
        (runtime(trainer={"resourcesPerNode": {"requests": {"cpu": 8}}}),
         ["spec.template.trainer.resourcesPerNode.requests.cpu"]),
        (runtime(env=[{"name": f"A{n}", "value": "x" * 30_000} for n in range(3)]), ["spec.template"]),
        (runtime() | {"spec": {}}, ["spec.template"]),
        (runtime() | {"metadata": {"name": "A"}}, ["metadata.name"]),
        (runtime() | {"metadata": {"name": "a", "namespace": "b"}}, ["metadata.namespace"]),
        (runtime("TrainingRun"), ["kind"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_runtime_that_is_not_valid_says_where(document: Body, paths: list[str]) -> None:
    assert sorted(problems_of(parse_runtime, document)) == paths


def test_a_template_may_be_any_part_of_a_run_and_holds_no_nulls() -> None:
    assert parse_runtime(runtime()).template == {}
    given = parse_runtime(runtime(image="a", storage={"checkpoints": {"numToKeep": 9}, "uri": None}))
    assert given.template == {"image": "a", "storage": {"checkpoints": {"numToKeep": 9}}}
    assert MAX_BYTES == 65_536


@pytest.mark.parametrize("template", [{}, {"trainer": {"numNodes": 4}}])
def test_a_run_by_itself_is_checked_as_far_as_it_goes(template: Body) -> None:
    assert check_alone(needy(**template, storage={"runName": "x"})).metadata.name == "mnist"
    # 512 rows by 3 nodes: the runtime may say otherwise.
    assert check_alone(needy(trainer={"numNodes": 3})).spec.trainer.num_nodes == 3
    # Of which claim these are, only the runtime says.
    code = {"uri": "/mnt/team/code.tar.gz", "sha256": "0" * 64}
    begun = RECIPE | {"initialCheckpoint": {"uri": "pvc://team/runs/first"}}
    assert check_alone(needy(code=code, recipe=begun, storage={"runName": "x"})).spec.code is not None
    assert problems_of(check_alone, needy(image="a b", trainer={"numNodes": 0})) == {
        "spec.image": '"a b"',
        "spec.trainer.numNodes": "0",
    }
    assert problems_of(check_alone, needy(runtimeRef={"kind": "Other", "name": "x"})).keys() == {"spec.runtimeRef.kind"}
    assert problems_of(check_alone, needy(recipe=None)) == {"spec": "neither recipe nor trainer.command"}


def test_a_run_with_a_reference_is_none_without_its_runtime() -> None:
    assert problems_of(parse, needy(image="a", storage={"uri": "s3://a/b"})).keys() == {"spec.runtimeRef"}


def test_problems_of_the_whole_say_whose_value_it_is() -> None:
    template = {"image": "a", "trainer": {"numNodes": 3, "resourcesPerNode": {"requests": {"cpu": 4}}}}
    run = needy(trainer={"resourcesPerNode": {"limits": {"cpu": 2}}}, storage={"uri": "s3://a/b"})
    found = problems_of(parse_with, run, "ClusterTrainingRuntime gpu", template)
    assert found == {
        "spec.trainer.resourcesPerNode.requests.cpu": "4 (from ClusterTrainingRuntime gpu)",
    }
    found = problems_of(parse_with, needy(), "ClusterTrainingRuntime gpu", {"trainer": {"numNodes": 3}})
    assert found["spec.image"] == "nothing (neither in the run nor in ClusterTrainingRuntime gpu)"
    assert found["spec.storage"] == "nothing (neither in the run nor in ClusterTrainingRuntime gpu)"


def test_code_and_a_checkpoint_must_lie_on_the_claim_of_the_whole() -> None:
    code = {"uri": "/mnt/team/code.tar.gz", "sha256": "0" * 64}
    run = needy(recipe=RECIPE | {"initialCheckpoint": {"uri": "pvc://team/runs/first"}})
    template = {"image": "a", "storage": {"persistentVolumeClaim": CLAIM}, "code": code, "tracking": {}}
    assert parse_runtime(runtime(**template)).template == template
    assert parse_with(run, "x", template).spec.code is not None
    elsewhere = problems_of(parse_with, run | {"spec": run["spec"] | {"storage": {"uri": "s3://a/b"}}}, "x", template)
    assert elsewhere == {
        "spec.code.uri": "/mnt/team/code.tar.gz (from x)",
        "spec.recipe.initialCheckpoint.uri": "pvc://team/runs/first",
    }


def test_a_run_and_its_runtime_make_a_run_that_needs_none() -> None:
    run = parse_with(needy(), "x", {"image": "a", "storage": {"persistentVolumeClaim": CLAIM}, "backoffLimit": 7})
    assert (run.spec.image, run.spec.backoff_limit, run.spec.runtime_ref) == ("a", 7, None)
    assert parse(run.to_document()) == run


FILE = """\
apiVersion: trainingrun.dev/v1beta1
kind: TrainingRun
metadata: {name: mnist, namespace: NAMESPACE}
spec:
  runtimeRef: {kind: TrainingRuntime, name: cpu}
  recipe: {dataset: {train: {format: Parquet, path: /data}}}
  backoffLimit: 1
---
apiVersion: trainingrun.dev/v1beta1
kind: TrainingRuntime
metadata: {name: cpu, namespace: team}
spec:
  template: {image: "given:1", storage: {uri: "s3://a/b"}, startDeadlineSeconds: 60}
"""


@pytest.mark.parametrize(("namespace", "is_found"), [("team", True), ("", True), ("other", False)])
def test_a_runtime_is_found_anywhere_in_the_files_but_in_another_namespace(tmp_path, namespace, is_found):
    path = tmp_path / "run.yaml"
    path.write_text(FILE.replace(", namespace: NAMESPACE", f", namespace: {namespace}" if namespace else ""))
    reading = read_files([str(path)])
    if not is_found:
        (problem,) = reading.problems
        assert str(problem).startswith(f"{path}:5:3: spec.runtimeRef: found TrainingRuntime cpu, allowed: a runtime ")
        (partly,) = read_files([str(path)], is_whole=False).runs
        assert str(partly.unknown) == "TrainingRuntime cpu"
        return
    (loaded,) = reading.runs
    assert loaded.run.spec.image == "given:1"
    assert loaded.document["spec"].keys() == {"runtimeRef", "recipe", "backoffLimit"}
    rows = {row.field: (row.value, row.origin) for row in explained(loaded)}
    assert rows["spec.image"] == ("given:1", "TrainingRuntime cpu")
    assert rows["spec.backoffLimit"] == (1, "run")
    assert rows["spec.startDeadlineSeconds"] == (60, "TrainingRuntime cpu")
    assert rows["spec.recipe.epochs"] == (10, "default")


def test_a_mistake_in_a_runtime_has_its_place_in_the_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(FILE.replace("NAMESPACE", "team").replace("Seconds: 60", "Seconds: 0"))
    (problem,) = read_files([str(path)]).problems
    assert str(problem) == (
        f"{path}:13:60: spec.template.startDeadlineSeconds: found 0, allowed: a whole number from 1 to 31536000"
    )
