"""What an attempt will do follows from the run alone: its workers, its folder, its data, and what it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_samples import run_of, trainer

from trainingrun.redaction import redacted
from trainingrun_trainer.data.layout import from_numpy
from trainingrun_trainer.driver.plan import plan_of, shown_configuration, versions
from trainingrun_trainer.driver.shape import storage_of, workers_of
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR, Node, Workers, check


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (trainer(), Workers(count=1, gpus=0, cpus=4.0)),
        (trainer(nodes=3, processes=2), Workers(count=6, gpus=0, cpus=2.0)),
        (trainer(processes=3), Workers(count=3, gpus=0, cpus=1.0)),
        (trainer(processes=8), Workers(count=8, gpus=0, cpus=0.5)),
        (trainer(nodes=2, processes=4, cpu=32, gpus=4), Workers(count=8, gpus=1, cpus=8.0)),
        ({**trainer(processes=1, gpus=4), "command": ["python"]}, Workers(count=1, gpus=4, cpus=4.0)),
        (trainer(cpu="500m"), Workers(count=1, gpus=0, cpus=0.5)),
        (trainer(cpu="2500m"), Workers(count=1, gpus=0, cpus=2.0)),
        (
            {"resourcesPerNode": {"limits": {"nvidia.com/gpu": 2}}},
            Workers(count=2, gpus=1, cpus=2.0),
        ),
    ],
)
def test_a_nodes_resources_are_shared_out_among_its_processes(group: dict[str, object], expected: Workers) -> None:
    run = run_of(trainer=group, recipe=None) if "command" in group else run_of(trainer=group)
    assert workers_of(run) == expected


@given(st.integers(1, 5), st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), st.integers(1, 128))
def test_a_runs_workers_fit_on_the_nodes_that_it_asks_for(nodes: int, processes: int, cpu: int) -> None:
    if 5040 % (nodes * processes):
        nodes = 1
    workers = workers_of(run_of(trainer=trainer(nodes, processes, cpu)))
    group = [Node(f"{i}", f"t{i}", cpu, 0, dict(TRAINER_SELECTOR)) for i in range(nodes)]
    check([Node("d", "d", 1, 0, dict(DATA_SELECTOR)), *group], workers)


def test_a_runs_folder_is_named_by_uid_where_there_is_one() -> None:
    assert storage_of(run_of()).location == "s3://bucket/runs/digits"
    assert storage_of(run_of(metadata={"uid": "0a1b"})).location == "s3://bucket/runs/0a1b"
    claim = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}
    assert storage_of(run_of(storage=claim)).local_directory == Path("/mnt/models/digits")


def test_a_folder_that_has_a_name_is_the_same_wherever_the_run_is() -> None:
    storage = {"uri": "s3://bucket/runs", "runName": "baseline-1"}
    for metadata in ({}, {"uid": "0a1b"}, {"uid": "2c3d", "name": "other", "namespace": "b"}):
        assert storage_of(run_of(metadata=metadata, storage=storage)).location == "s3://bucket/runs/baseline-1"


def recipe_of(model: dict[str, object]) -> dict[str, object]:
    return {"dataset": {"train": {"format": "Parquet", "path": "/data/train"}}, "globalBatchSize": 48, "model": model}


def test_what_may_be_secret_is_not_shown() -> None:
    secret = [{"name": "DATABASE", "value": "hunter2"}]
    reference = [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]
    model = {"function": "m:f", "parameters": {"api_key": "hunter2", "weights": "https://me:hunter2@host/weights"}}
    run = run_of(env=[*secret, *reference], trainer={"env": secret}, data={"env": secret}, recipe=recipe_of(model))
    shown = shown_configuration(run)
    assert "hunter2" not in str(shown)
    for group in (shown["spec"], shown["spec"]["trainer"], shown["spec"]["data"]):
        assert group["env"][0] == {"name": "DATABASE", "value": "(hidden)"}
    assert shown["spec"]["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "s", "key": "k"}
    assert run.to_document()["spec"]["env"][0]["value"] == "hunter2"
    assert shown["spec"]["recipe"]["model"]["parameters"]["weights"].endswith("@host/weights")
    assert shown["spec"]["storage"] == {"uri": "s3://bucket/runs"}
    assert redacted(shown) == shown, "the report hides by the same rule"


def test_versions_of_what_computes_are_known() -> None:
    found = versions()
    assert set(found) == {"python", "trainingrun", "ray", "torch", "torchvision", "pyarrow", "numpy"}
    assert found["numpy"] == np.__version__
    assert found["pyarrow"] == pa.__version__


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    field, array = from_numpy("image", np.zeros((6, 4, 4), np.uint8))
    schema = pa.schema([field, pa.field("label", pa.int64())])
    pq.write_table(pa.table([array, pa.array(range(6))], schema=schema), tmp_path / "rows.parquet")
    return tmp_path


def recipe(dataset: Path, **fields: object) -> dict[str, object]:
    source = {"format": "Parquet", "path": str(dataset)}
    return {"dataset": {"train": source, "validation": source}, "globalBatchSize": 48, **fields}


def test_a_plan_has_the_datasets(dataset: Path) -> None:
    run = run_of(recipe=recipe(dataset, gradientAccumulationSteps=2), trainer=trainer(nodes=3))
    plan = plan_of(run, workers_of(run))
    assert {name: listing.rows for name, listing in plan.listings.items()} == {"train": 6, "validation": 6}
    assert plan.transform is None  # the built-in one runs on the trainer


def test_a_plan_has_the_transform_of_the_data_group(dataset: Path) -> None:
    transform = {"function": "author_functions:halve", "kind": "Batch", "batchFormat": "Torch", "parameters": {"by": 3}}
    run = run_of(recipe=recipe(dataset, transform=transform))
    plan = plan_of(run, workers_of(run))
    assert plan.transform is not None
    (step,) = plan.transform.steps
    assert (step.kind, step.batch_format, step.parameters) == ("Batch", "Torch", {"by": 3})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"transform": {"function": "author_functions:halv", "kind": "Batch"}}, 'did you mean "halve"?'),
        (
            {"transform": {"function": "trainingrun_trainer.vision:normalize", "kind": "Row"}},
            'spec.recipe.transform.kind: found Row, but "trainingrun_trainer.vision:normalize" runs on the trainer; '
            "allowed: Batch",
        ),
        (
            {"transform": {"function": "author_functions:halve", "kind": "Batch", "parameters": {"to": 1}}},
            "spec.recipe.transform.parameters: halve(batch",
        ),
        ({"model": {"function": "torch.nn:Lineal"}}, 'spec.recipe.model.function: module "torch.nn" has no "Lineal"'),
        (
            {"collate": {"function": "author_hooks:collate_text"}},
            "spec.recipe.collate.parameters: collate_text(table",
        ),
        ({"scheduler": {"function": "no_such_package:f"}}, "spec.recipe.scheduler.function: there is no module"),
        (
            {"loss": {"function": "torch.nn:MSELoss", "parameters": {"weight": 1}}},
            "spec.recipe.loss.parameters: MSELoss(",
        ),
        (
            {"metrics": [{"function": "author_hooks:difference"}, {"function": "author_functions:notebook_row"}]},
            "spec.recipe.metrics[1].parameters: notebook_row(row",
        ),
        ({"trainStep": {"function": "author_functions:halve"}}, "spec.recipe.trainStep.parameters: halve(batch"),
        ({"evalStep": {"function": "author_hooks:Model"}}, "spec.recipe.evalStep.parameters: Model(classes"),
        ({"loop": {"function": "author_functions:NOT_A_FUNCTION"}}, "is of type int, not a function"),
    ],
)
def test_a_wrong_hook_is_refused_before_anything_starts(dataset: Path, fields: dict[str, object], said: str) -> None:
    run = run_of(recipe=recipe(dataset, **fields))
    with pytest.raises(InvalidConfiguration) as caught:
        plan_of(run, workers_of(run))
    assert said in str(caught.value)


def test_a_hook_that_a_loop_may_never_use_stops_nothing(dataset: Path) -> None:
    own = {"loop": {"function": "author_hooks:any_arguments"}, "model": {"function": "nowhere:model"}}
    run = run_of(recipe=recipe(dataset, **own))
    assert plan_of(run, workers_of(run)).recipe.loop is not None


def test_a_run_of_a_command_has_no_plan() -> None:
    run = run_of(recipe=None, trainer={"command": ["python", "train.py"]})
    with pytest.raises(InvalidConfiguration, match=r"^spec\.recipe: missing; a run with trainer\.command"):
        plan_of(run, workers_of(run))
