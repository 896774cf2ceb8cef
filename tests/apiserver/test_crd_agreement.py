"""The API server and the typed model accept and refuse the same runs, and read the same from them."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from raw_client import Object, RawClient, Refused
from run_documents import document, model_says, recipe, samples, server_says
from run_mutations import mutated_runs

from trainingrun.crd.rules import PARSE_ONLY
from trainingrun.errors import InvalidSpec, Problem
from trainingrun.spec import parse

EXAMPLES = int(os.environ.get("TRAININGRUN_AGREEMENT_EXAMPLES", "600"))
# Both outcomes must be common, or the comparison would prove little.
LEAST_SHARE = 0.15

SAMPLES = samples()

# What a problem says that only the model sees, by its rule; of plain.PlainCopy, mutations have none.
WORDS = {
    "model.PARAMETER_KEYS": "keys of letters, digits and '_', as in Python's arguments",
    "recipe._names_differ": "another name for each metric",
    "transforms._data_comes_first": "Trainer, or a place before it",
    "rules._room_for_steps": "at most what a data node has",
}


def only_the_model_sees(problem: Problem) -> bool:
    return problem.allowed.startswith(tuple(WORDS.values()))


@pytest.mark.parametrize("run", SAMPLES, ids=[run["metadata"]["name"] for run in SAMPLES])
def test_every_sample_is_accepted_and_means_the_same(admin: RawClient, run: Object) -> None:
    stored = server_says(admin, run)
    assert not isinstance(stored, Refused)
    assert parse(stored).spec == parse(run).spec


def test_runs_are_accepted_and_refused_alike(admin: RawClient) -> None:
    outcomes: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated_runs())
    def agree(run: Object) -> None:
        ours, servers = model_says(run), server_says(admin, run)
        if isinstance(ours, InvalidSpec) and all(map(only_the_model_sees, ours.problems)):
            outcomes["only the model"] += 1
        elif isinstance(ours, InvalidSpec):
            outcomes["refused"] += 1
            assert isinstance(servers, Refused), f"only the model refuses: {ours}"
        else:
            outcomes["accepted"] += 1
            assert not isinstance(servers, Refused), f"only the API server refuses: {servers}"
            assert parse(servers).spec == ours.spec

    agree()
    for outcome in ("accepted", "refused"):
        assert outcomes[outcome] > LEAST_SHARE * outcomes.total(), outcomes


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else 1


def with_parameters(**parameters: object) -> Object:
    return document(recipe=recipe(optimizer={"function": "a:b", "parameters": parameters}))


_STEP = {"function": "a:b", "kind": "Batch"}
_SCRATCH = {"volumes": [{"name": "x", "emptyDir": {}}]}
_MOUNTED = {"volumeMounts": [{"name": "x", "mountPath": "/mnt/x"}]}
_READ_ONLY = [{"name": "x", "mountPath": "/mnt/x", "readOnly": True}]


def rows(path: str = "/data/train", **dataset: object) -> Object:
    return recipe(dataset={"train": {"format": "Parquet", "path": path}, **dataset})


ONLY_THE_MODEL_REFUSES = {
    "model.PARAMETER_KEYS": [with_parameters(**{"learning rate": 1})],
    "recipe._names_differ": [
        document(recipe=recipe(metrics=[{"function": "a:b"}, {"function": "c:B.b"}])),
        document(recipe=recipe(metrics=[{"function": "a:b", "name": "loss"}])),
    ],
    "transforms._data_comes_first": [
        document(recipe=recipe(transforms=[{**_STEP, "runOn": "Trainer"}, {**_STEP, "runOn": "Data"}])),
    ],
    "rules._room_for_steps": [
        document(recipe=recipe(transforms=[{"function": "a:B", "kind": "Class", "resources": {"memory": "100Ti"}}])),
    ],
    "pod_rules._rows_in_mounts": [
        document(**_SCRATCH, trainer=_MOUNTED, recipe=rows(path="/mnt/x/rows")),
        document(**_SCRATCH, volumeMounts=_READ_ONLY, recipe=rows(cache={"path": "/mnt/x"})),
    ],
    "pod_rules.topology_alone": [
        document(topology={"required": "a"}, podTemplatePatches=[{"target": "Trainer", "spec": {"affinity": {}}}]),
    ],
    "plain.PlainCopy": [
        with_parameters(deep=nested(40)),
        with_parameters(long=[0] * 1001),
        with_parameters(large=2**64),
        with_parameters(**{f"many{index}": [0] * 1000 for index in range(21)}),
    ],
}
NULLS_IN_MAPS = [
    document(trainer={"resourcesPerNode": {"limits": {"cpu": None}}}),
    document(podTemplatePatches=[{"target": "Head", "spec": {"nodeSelector": {"a": None}}}]),
]


@pytest.mark.parametrize("check", PARSE_ONLY)
def test_what_only_the_model_refuses_is_listed(admin: RawClient, check: str) -> None:
    for run in ONLY_THE_MODEL_REFUSES[check]:
        said = model_says(run)
        assert isinstance(said, InvalidSpec)
        assert {only_the_model_sees(problem) for problem in said.problems} == {check in WORDS}
        assert not isinstance(server_says(admin, run), Refused)


@pytest.mark.parametrize("run", NULLS_IN_MAPS, ids=["limits", "nodeSelector"])
def test_a_null_in_a_map_never_reaches_the_operator(admin: RawClient, run: Object) -> None:
    """The model refuses it in a file, where it is a forgotten value; the API server drops it."""
    assert isinstance(model_says(run), InvalidSpec)
    stored = server_says(admin, run)
    assert not isinstance(stored, Refused)
    assert not isinstance(model_says(stored), InvalidSpec)


def test_parameters_keep_every_value(admin: RawClient) -> None:
    given = {"none": None, "nested": {"none": None, "list": [None, 1, 0.5, "x", {}]}, "flag": False, "least": -(2**63)}
    stored = server_says(admin, with_parameters(**given))
    assert not isinstance(stored, Refused)
    assert stored["spec"]["recipe"]["optimizer"]["parameters"] == given
