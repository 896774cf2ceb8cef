"""Every problem names its field, what was found and what is allowed, in words for a person."""

from __future__ import annotations

from typing import Any

import pytest
from test_spec import document, recipe

from trainingrun.errors import InvalidSpec
from trainingrun.spec import parse
from trainingrun.spec.paths import join_path, nested_path, split_path


def said_about(value: object) -> list[str]:
    with pytest.raises(InvalidSpec) as caught:
        parse(value)
    return [str(problem) for problem in caught.value.problems]


SPEC = "a mapping with at least image and storage"
DOCUMENT = "a mapping with at least apiVersion, kind, metadata and spec"
IMAGE = "text of 1 to 500 characters: a container image without spaces"
NODES = "a whole number from 1 to 1000"
DATA = "a mapping with any of env, volumeMounts, numNodes, maxNodes, targetStallPercentage and resourcesPerNode"

SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        {"trainer": {"numNodes": "two"}},
        f'spec.trainer.numNodes: found "two", allowed: {NODES}',
    ),
    (
        {"trainer": {"numNodes": True}},
        f"spec.trainer.numNodes: found true, allowed: {NODES}",
    ),
    (
        {"trainer": {"numNodes": 2.0}},
        f"spec.trainer.numNodes: found 2.0, allowed: {NODES}",
    ),
    ({"trainer": {"numNodes": 0}}, f"spec.trainer.numNodes: found 0, allowed: {NODES}"),
    (
        {"trainer": {"numNode": 2}},
        "spec.trainer.numNode: found an unknown field, allowed: numNodes (the closest match), "
        "or one of args, command, env, numNodes, numProcPerNode, resourcesPerNode or volumeMounts",
    ),
    (
        {"trainer": {"num_nodes": 2}},
        "spec.trainer.num_nodes: found an unknown field, allowed: numNodes (the closest match), "
        "or one of args, command, env, numNodes, numProcPerNode, resourcesPerNode or volumeMounts",
    ),
    (
        {"data": {"zzz": None}},
        "spec.data.zzz: found an unknown field, allowed: env, maxNodes, numNodes, "
        "resourcesPerNode, targetStallPercentage or volumeMounts",
    ),
    ({"suspend": "yes"}, 'spec.suspend: found "yes", allowed: true or false'),
    ({"suspend": 1}, "spec.suspend: found 1, allowed: true or false"),
    (
        {"imagePullPolicy": "always"},
        'spec.imagePullPolicy: found "always", allowed: Always, IfNotPresent or Never',
    ),
    (
        {"env": [{"name": "A", "value": 1}]},
        "spec.env[0].value: found 1, allowed: text of at most 32768 characters; put it in quotes",
    ),
    (
        {"image": "a b"},
        f'spec.image: found "a b", allowed: {IMAGE}',
    ),
    (
        {"image": ""},
        f'spec.image: found "", allowed: {IMAGE}',
    ),
    (
        {"image": None},
        f"spec.image: found nothing, allowed: {IMAGE}",
    ),
    (
        {"recipe": recipe(model={"function": "resnet18"})},
        'spec.recipe.model.function: found "resnet18", allowed: text of 1 to 253 characters: '
        "written module:function, as in torch.optim:Adam",
    ),
    (
        {"recipe": recipe(model={"function": "a:b", "parameters": {"learning rate": 1}})},
        'spec.recipe.model.parameters["learning rate"]: found this key, allowed: '
        "keys of letters, digits and '_', as in Python's arguments",
    ),
    (
        {"recipe": recipe(model={"function": "a:b", "parameters": {f"p{i}": i for i in range(65)}})},
        "spec.recipe.model.parameters: found a mapping of 65 keys, allowed: a mapping of at most 64 keys",
    ),
    (
        {"recipe": recipe(maxGradNorm=0)},
        "spec.recipe.maxGradNorm: found 0, allowed: a number above 0 and at most 1e+09",
    ),
    (
        {"data": []},
        f"spec.data: found an empty list, allowed: {DATA}",
    ),
    (
        {"storage": {"uri": "s3://bucket/runs", "runName": "../other"}},
        'spec.storage.runName: found "../other", allowed: text of 1 to 63 characters: lower-case letters, digits and '
        "'-', starting and ending with a letter or digit",
    ),
    (
        {"storage": {"uri": "s3://bucket/runs", "runName": "a" * 64}},
        f'spec.storage.runName: found "{"a" * 60}…", allowed: text of 1 to 63 characters: lower-case letters, digits '
        "and '-', starting and ending with a letter or digit",
    ),
    ({"env": {}}, "spec.env: found an empty mapping, allowed: a list of at most 256 entries"),
    (
        {"data": {"resourcesPerNode": {"limits": {"memory": "16GB"}}}},
        'spec.data.resourcesPerNode.limits.memory: found "16GB", allowed: a quantity: a number, then '
        "nothing, n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent",
    ),
    (
        {"trainer": {"resourcesPerNode": {"limits": {"nvidia.com/gpu": 0.5}}}},
        'spec.trainer.resourcesPerNode.limits["nvidia.com/gpu"]: found 0.5, allowed: a whole number in digits, as '
        "devices cannot be shared",
    ),
    (
        {"data": {"resourcesPerNode": {"limits": {"cpu": 0.5}}}},
        "spec.data.resourcesPerNode.limits.cpu: found 0.5, allowed: a quantity: a number, then "
        "nothing, n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent; put it in quotes",
    ),
    (
        {"data": {"resourcesPerNode": {"requests": {"memory": "32Gi"}}}},
        "spec.data.resourcesPerNode.requests.memory: found 32Gi, allowed: at most the limit, which is 16Gi",
    ),
    (
        {"recipe": recipe(globalBatchSize=10, gradientAccumulationSteps=2), "trainer": {"numNodes": 2}},
        "spec.recipe.globalBatchSize: found 10, allowed: a multiple of 4 (trainer.numNodes 2 x processes "
        "per node 1 x gradientAccumulationSteps 2)",
    ),
    (
        {"failurePolicy": {"rules": [{"action": "Fail", "onExitCodes": {"operator": "In", "values": []}}]}},
        "spec.failurePolicy.rules[0].onExitCodes.values: found an empty list, allowed: a list of 1 to 256 entries",
    ),
    (
        {"podTemplatePatches": [{"target": "Head", "spec": {"containers": []}}]},
        "spec.podTemplatePatches[0].spec.containers: found an unknown field, allowed: affinity, "
        "nodeSelector, "
        "priorityClassName, runtimeClassName, schedulerName, tolerations or topologySpreadConstraints",
    ),
]


@pytest.mark.parametrize(
    ("fields", "sentence"), SENTENCES, ids=lambda value: "" if isinstance(value, str) else str(value)[:40]
)
def test_a_problem_is_one_sentence_with_path_found_and_allowed(fields, sentence):
    assert said_about(document(**fields)) == [sentence]


@pytest.mark.parametrize(
    ("value", "first"),
    [
        (None, f"document: found null, allowed: {DOCUMENT}"),
        ("run", f'document: found "run", allowed: {DOCUMENT}'),
        ({}, "apiVersion: found nothing, allowed: trainingrun.dev/v1beta1"),
        (
            document() | {"apiVersion": "trainingrun.dev/v1"},
            'apiVersion: found "trainingrun.dev/v1", allowed: trainingrun.dev/v1beta1',
        ),
        (document() | {"spec": []}, f"spec: found an empty list, allowed: {SPEC}"),
        (document() | {"spec": None}, f"spec: found nothing, allowed: {SPEC}"),
        (document() | {"metadata": {}}, "metadata.name: found nothing, allowed: text of 1 to 63 characters: "
         "lower-case letters, digits and '-', starting with a letter"),
        (document() | {1: 2}, f"document: found a key of the type int, allowed: {DOCUMENT}"),
    ],
)  # fmt: skip
def test_a_document_that_is_no_run_is_refused_with_what_is_needed(value, first):
    assert said_about(value)[0] == first


def test_field_errors_and_rules_between_valid_parts_are_told_together():
    wrong = document(
        image=3,
        backoffLimit=101,
        recipe=recipe(mixedPrecision="FP16", globalBatchSize=7),
        trainer={"numNodes": 2},
        storage={"uri": "s3://b/x", "checkpoints": {"best": {"metric": "validation_loss"}}},
    )
    assert sorted(sentence.split(":")[0] for sentence in said_about(wrong)) == [
        "spec.backoffLimit",
        "spec.image",
        "spec.recipe.globalBatchSize",
        "spec.recipe.mixedPrecision",
        "spec.storage.checkpoints.best.metric",
    ]


def test_at_most_a_hundred_problems_are_told_and_the_rest_are_counted():
    sentences = said_about(document(**{f"field{i}": i for i in range(300)}))
    assert len(sentences) == 101
    assert sentences[-1].startswith("document: found 200 more problems")


def test_values_that_json_does_not_have_are_refused_where_they_stand():
    wrong = document(image=b"x", recipe=recipe(maxGradNorm=float("nan"), seed=2**70))
    wrong["spec"]["recipe"]["optimizer"] = {
        "function": "a:b",
        "parameters": {"lr": float("inf"), "x": {1, 2}},
    }
    assert sorted(sentence.split(",")[0] for sentence in said_about(wrong)) == [
        "spec.image: found a value of the Python type bytes",
        "spec.recipe.maxGradNorm: found nan",
        "spec.recipe.optimizer.parameters.lr: found inf",
        "spec.recipe.optimizer.parameters.x: found a value of the Python type set",
        "spec.recipe.seed: found a whole number of more than 64 bits",
    ]


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        (("spec", "env", 2, "name"), "spec.env[2].name"),
        (("metadata", "labels", "kueue.x-k8s.io/queue-name"), 'metadata.labels["kueue.x-k8s.io/queue-name"]'),
        (("spec", ""), 'spec[""]'),
        (("spec", 'a"]b\\'), 'spec["a\\"]b\\\\"]'),
        (("spec", "3"), 'spec["3"]'),
        ((0, 1), "[0][1]"),
        ((), ""),
    ],
)
def test_a_path_can_be_written_and_read_again(steps, path):
    assert join_path(steps) == path
    assert split_path(path) == steps


def test_a_relative_path_is_put_after_its_parent():
    assert nested_path("spec.env", "[1].name") == "spec.env[1].name"
    assert nested_path("spec", "trainer") == "spec.trainer"
    assert nested_path("spec", "") == "spec"
