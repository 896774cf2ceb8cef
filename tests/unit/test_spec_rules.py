"""Rules between fields: each is one problem at the field that its author would change."""

from __future__ import annotations

import pytest
from test_spec import document, problems_of, recipe

from trainingrun.spec import parse


def gpus(count: object) -> dict[str, dict[str, object]]:
    return {"limits": {"nvidia.com/gpu": count}}


def of_dataset(**fields: object) -> dict[str, object]:
    return {"recipe": {"dataset": recipe()["dataset"] | fields}}


STEP = {"function": "a:b", "kind": "Batch"}


def step(**fields: object) -> dict[str, object]:
    return {"recipe": recipe(transforms=[STEP, {**STEP, **fields}])}


def resources(**amounts: object) -> dict[str, object]:
    return step(kind="Class", resources=amounts)


DIGEST = "0a" * 32
CLAIM = {"persistentVolumeClaim": {"claimName": "c", "mountPath": "/m"}}
RULES = [
    (of_dataset(cache={}), {"spec.recipe.dataset.cache.path": "no path with mode ReadWrite"}),
    (of_dataset(cache={"mode": "ReadOnly"}), {"spec.recipe.dataset.cache.path": "no path with mode ReadOnly"}),
    (of_dataset(cache={"mode": "On", "path": "/c"}), {"spec.recipe.dataset.cache.mode": '"On"'}),
    ({"recipe": None}, {"spec": "neither recipe nor trainer.command"}),
    ({"trainer": {"command": ["python"]}}, {"spec": "both recipe and trainer.command"}),
    (
        {"recipe": None, "trainer": {"args": ["x"]}},
        {"spec.trainer.args": "args without command", "spec": "neither recipe nor trainer.command"},
    ),
    ({"storage": {}}, {"spec.storage": "neither of uri and persistentVolumeClaim"}),
    (
        {"storage": {"uri": "s3://b/x", "persistentVolumeClaim": {"claimName": "c", "mountPath": "/m"}}},
        {"spec.storage": "both of uri and persistentVolumeClaim"},
    ),
    ({"code": {"sha256": DIGEST}}, {"spec.code": "neither of uri and configMapKeyRef"}),
    (
        {"code": {"uri": "s3://b/c", "configMapKeyRef": {"name": "c", "key": "k"}, "sha256": DIGEST}},
        {"spec.code": "both of uri and configMapKeyRef"},
    ),
    ({"code": {"uri": "s3://b/c"}}, {"spec.code.sha256": "nothing"}),
    ({"code": {"uri": "code.tar.gz", "sha256": DIGEST}}, {"spec.code.uri": '"code.tar.gz"'}),
    ({"code": {"uri": "s3://b/c", "sha256": "A" * 64}}, {"spec.code.sha256": f'"{"A" * 60}…"'}),
    ({"code": {"uri": "/m/c", "sha256": DIGEST}}, {"spec.code.uri": "/m/c"}),
    ({"code": {"uri": "/mnt/c", "sha256": DIGEST}, "storage": CLAIM}, {"spec.code.uri": "/mnt/c"}),
    ({"trainer": {"numNodes": 3}}, {"spec.recipe.globalBatchSize": "512"}),
    (
        {"trainer": {"resourcesPerNode": gpus(2)}, "recipe": recipe(gradientAccumulationSteps=3)},
        {"spec.recipe.globalBatchSize": "512"},
    ),
    ({"data": {"numNodes": 4, "maxNodes": 2}}, {"spec.data.maxNodes": "2"}),
    ({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, {"spec.env[1].name": "A again"}),
    ({"env": [{"name": "A"}]}, {"spec.env[0]": "neither of value and valueFrom"}),
    (
        {"env": [{"name": "A", "valueFrom": {}}]},
        {"spec.env[0].valueFrom": "neither of secretKeyRef and configMapKeyRef"},
    ),
    ({"head": {"resources": {"limits": {"memory": 0}}}}, {"spec.head.resources.limits.memory": "0"}),
    (
        {"data": {"resourcesPerNode": {"requests": {"cpu": 5}}}},
        {"spec.data.resourcesPerNode.requests.cpu": "5"},
    ),
    (
        {"trainer": {"resourcesPerNode": gpus("500m")}},
        {'spec.trainer.resourcesPerNode.limits["nvidia.com/gpu"]': "500m"},
    ),
    (
        {"data": {"resourcesPerNode": {"limits": {"example.com/fpga": "2000m"}}}},
        {'spec.data.resourcesPerNode.limits["example.com/fpga"]': "2000m"},
    ),
    (
        {"trainer": {"resourcesPerNode": {"requests": {"nvidia.com/gpu": 1}}}},
        {'spec.trainer.resourcesPerNode.requests["nvidia.com/gpu"]': "1"},
    ),
    (
        {"trainer": {"resourcesPerNode": {"limits": {"nvidia.com/gpu": 1, "amd.com/gpu": 1}}}},
        {"spec.trainer.resourcesPerNode.limits": "nvidia.com/gpu and amd.com/gpu"},
    ),
    ({"trainer": {"numProcPerNode": 4, "resourcesPerNode": gpus(2)}}, {"spec.trainer.numProcPerNode": "4"}),
    ({"trainer": {"numProcPerNode": 3, "resourcesPerNode": gpus(4)}}, {"spec.trainer.numProcPerNode": "3"}),
    ({"trainer": {"numProcPerNode": 1, "resourcesPerNode": gpus(4)}}, {"spec.trainer.numProcPerNode": "1 for 4 GPUs"}),
    (
        {"trainer": {"resourcesPerNode": {"limits": {"nvidia.com/mig-1g.5gb": 2}}}},
        {'spec.trainer.resourcesPerNode.limits["nvidia.com/mig-1g.5gb"]': "2"},
    ),
    ({"data": {"resourcesPerNode": gpus(1)}}, {'spec.data.resourcesPerNode.limits["nvidia.com/gpu"]': "1"}),
    ({"head": {"resources": gpus(1)}}, {'spec.head.resources.limits["nvidia.com/gpu"]': "1"}),
    ({"trainer": {"resourcesPerNode": gpus(128)}}, {"spec.trainer.resourcesPerNode.limits": "128 GPUs"}),
    ({"recipe": recipe(mixedPrecision="FP16")}, {"spec.recipe.mixedPrecision": "FP16 without a GPU"}),
    (
        {"recipe": recipe(transform={"function": "a:b", "kind": "Row", "batchFormat": "NumPy"})},
        {"spec.recipe.transform.batchFormat": "batchFormat with kind Row"},
    ),
    (
        of_dataset(onBadRow={"maxShare": "0.01"}),
        {"spec.recipe.dataset.onBadRow.maxShare": "maxShare with action Fail"},
    ),
    (
        of_dataset(onBadRow={"action": "Skip", "maxShare": "1.5"}),
        {"spec.recipe.dataset.onBadRow.maxShare": '"1.5"'},
    ),
    (
        {"recipe": recipe(transform={"function": "a:b", "kind": "Row", "batchSize": 8})},
        {"spec.recipe.transform.batchSize": "batchSize with kind Row"},
    ),
    (
        {"recipe": recipe(transform=STEP, transforms=[STEP])},
        {"spec.recipe.transform": "transform and transforms"},
    ),
    (step(concurrency=2), {"spec.recipe.transforms[1].concurrency": "concurrency with kind Batch"}),
    (step(kind="Row", resources={}), {"spec.recipe.transforms[1].resources": "resources with kind Row"}),
    (step(kind="Row", runOn="Trainer"), {"spec.recipe.transforms[1].kind": "Row with runOn Trainer"}),
    (step(runOn="Trainer", batchSize=8), {"spec.recipe.transforms[1].batchSize": "batchSize with runOn Trainer"}),
    (
        step(kind="Class", runOn="Trainer", concurrency=8),
        {"spec.recipe.transforms[1].concurrency": "concurrency with runOn Trainer"},
    ),
    (
        {"recipe": recipe(transforms=[{**STEP, "runOn": "Trainer"}, STEP, {**STEP, "runOn": "Data"}])},
        {"spec.recipe.transforms[2].runOn": "Data after a step on the Trainer"},
    ),
    (
        resources(cpu=0, memory="-1Gi", gpu="0"),
        {
            "spec.recipe.transforms[1].resources.cpu": "0",
            "spec.recipe.transforms[1].resources.memory": "-1Gi",
            "spec.recipe.transforms[1].resources.gpu": "0",
        },
    ),
    (resources(gpu="1.5"), {"spec.recipe.transforms[1].resources.gpu": "1.5"}),
    (resources(gpu=1), {"spec.recipe.transforms[1].resources.gpu": "1"}),
    (
        resources(cpu=5, memory="17Gi"),
        {"spec.recipe.transforms[1].resources.cpu": "5", "spec.recipe.transforms[1].resources.memory": "17Gi"},
    ),
    (
        {**resources(gpu=2), "data": {"resourcesPerNode": gpus(1)}},
        {"spec.recipe.transforms[1].resources.gpu": "2"},
    ),
    (
        {"recipe": {"dataset": {"train": {"format": "Parquet", "path": "/x", "schema": {"a": "int64"}}}}},
        {"spec.recipe.dataset.train.schema": "schema with format Parquet"},
    ),
    (
        {"recipe": {"dataset": {"train": {"format": "CSV", "path": "/x", "schema": {"": "int64"}}}}},
        {'spec.recipe.dataset.train.schema[""]': "this key"},
    ),
    (
        of_dataset(inputColumn="a", inputColumns=["b"]),
        {"spec.recipe.dataset.inputColumn": "inputColumn and inputColumns"},
    ),
    (
        of_dataset(targetColumn="a", targetColumns=["b"]),
        {"spec.recipe.dataset.targetColumn": "targetColumn and targetColumns"},
    ),
    (of_dataset(inputColumns=[]), {"spec.recipe.dataset.inputColumns": "an empty list"}),
    (of_dataset(columns=[]), {"spec.recipe.dataset.columns": "an empty list"}),
    (of_dataset(targetColumns=[]), {"spec.recipe.dataset.targetColumns": "an empty list"}),
    (of_dataset(inputColumns=["a", "b", "a"]), {"spec.recipe.dataset.inputColumns[2]": "a again"}),
    (of_dataset(targetColumns=["a", "a"]), {"spec.recipe.dataset.targetColumns[1]": "a again"}),
    (of_dataset(columns=["a", "a"]), {"spec.recipe.dataset.columns[1]": "a again"}),
    (
        {"recipe": recipe(metrics=[{"function": "a:b"}, {"function": "c:B.b"}])},
        {"spec.recipe.metrics[1].name": "b again"},
    ),
    (
        {"recipe": recipe(metric={"function": "a:b"}, metrics=[])},
        {"spec.recipe.metric": "metric and metrics"},
    ),
    (
        {"recipe": recipe(metric={"function": "a:B.loss"})},
        {"spec.recipe.metric.name": "loss, which is always reported"},
    ),
    (
        {"recipe": recipe(metrics=[{"function": "a:loss"}])},
        {"spec.recipe.metrics[0].name": "loss, which is always reported"},
    ),
    (
        {"recipe": recipe(earlyStopping={"metric": "validation_loss", "patience": 1})},
        {"spec.recipe.earlyStopping.metric": "validation_loss without recipe.dataset.validation"},
    ),
    (
        {"storage": {"uri": "s3://b/x", "checkpoints": {"best": {"metric": "validation_loss"}}}},
        {"spec.storage.checkpoints.best.metric": "validation_loss without recipe.dataset.validation"},
    ),
    (
        {"failurePolicy": {"rules": [{"action": "Fail"}]}},
        {"spec.failurePolicy.rules[0]": "neither of onClasses and onExitCodes"},
    ),
    (
        {"podTemplatePatches": [{"target": "Head", "spec": {}}, {"target": "Head", "spec": {}}]},
        {"spec.podTemplatePatches[1].target": "Head again"},
    ),
]


@pytest.mark.parametrize("count", ["9" * 64, "9E"])
def test_however_many_gpus_a_data_node_has_a_step_may_ask_for_some(count: str) -> None:
    run = parse(document(**resources(gpu=1), data={"resourcesPerNode": gpus(count)}))
    assert str(run.spec.data.resources_per_node.limits["nvidia.com/gpu"]) == count


@pytest.mark.parametrize(("fields", "expected"), RULES, ids=lambda value: ",".join(value))
def test_a_broken_rule_between_fields_is_a_problem(fields, expected):
    assert problems_of(document(**fields)) == expected


def test_rules_that_just_hold_are_no_problem():
    parse(document(code={"uri": "/m/c", "sha256": DIGEST}, storage=CLAIM))
    parse(document(code={"uri": "s3://b/c", "sha256": DIGEST}, storage=CLAIM))
    parse(
        document(
            trainer={"numNodes": 2, "resourcesPerNode": gpus(4)},
            recipe=recipe(globalBatchSize=8, mixedPrecision="FP16"),
        )
    )
    parse(document(recipe=None, trainer={"command": ["python"], "args": ["x"], "numNodes": 3}))
    several_each = {"numProcPerNode": 1, "resourcesPerNode": gpus(4)}
    parse(document(trainer=several_each, recipe=recipe(loop={"function": "a:b"})))
    own = {**several_each, "command": ["python"]}
    parse(document(recipe=None, trainer=own, data={"resourcesPerNode": gpus(1)}))
    parse(document(data={"resourcesPerNode": gpus(0)}, head={"resources": gpus(0)}))
    parse(document(recipe=of_dataset(targetColumns=[])["recipe"] | {"trainStep": {"function": "a:b"}}))
    parse(document(recipe=recipe(metrics=[{"function": "a:b"}, {"function": "a:b", "name": "c"}])))
    parse(document(recipe=recipe(transforms=[])))
    parse(document(recipe=recipe(transforms=[{**STEP, "runOn": "Data"}, STEP, {**STEP, "runOn": "Trainer"}, STEP])))
    parse(document(**resources(cpu=4, memory="16Gi", gpu="250m"), data={"resourcesPerNode": gpus(1)}))
    parse(document(data={"numNodes": 2, "maxNodes": 2, "resourcesPerNode": {"requests": {"cpu": "4000m"}}}))
