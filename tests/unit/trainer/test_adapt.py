"""A cluster's run file fits one machine: its volume moves, and what only a cluster can honour is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_samples import run_of

from trainingrun_trainer.local.adapt import adapt

CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/never-there"}}


def recipe(train: str, validation: str | None = None) -> dict[str, object]:
    dataset = {"train": {"format": "Parquet", "path": train}}
    if validation:
        dataset["validation"] = {"format": "Parquet", "path": validation}
    return {"dataset": dataset}


def paths(run: object) -> list[str]:
    dataset = run.spec.recipe.dataset  # type: ignore[attr-defined]
    return [dataset.train.path] + ([dataset.validation.path] if dataset.validation else [])


def test_a_volume_is_a_directory_here(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    run = run_of(storage=CLAIM, recipe=recipe("/mnt/never-there/data/train", "s3://bucket/validation"))
    adapted = adapt(run, volume)
    assert adapted.volume == volume and volume.is_dir()
    assert adapted.run.spec.storage.uri == f"file://{volume}"
    assert adapted.run.spec.storage.persistent_volume_claim is None
    assert paths(adapted.run) == [f"{volume}/data/train", "s3://bucket/validation"]
    assert run.spec.storage.persistent_volume_claim is not None  # the run itself is not changed


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("pvc://models/first/best", "{volume}/first/best"),
        ("/mnt/never-there/weights.pt", "{volume}/weights.pt"),
        ("s3://bucket/first", "s3://bucket/first"),
    ],
)
def test_what_a_run_starts_from_moves_with_the_volume(tmp_path: Path, uri: str, expected: str) -> None:
    run = run_of(storage=CLAIM, recipe={**recipe("/data"), "initialCheckpoint": {"uri": uri}})
    initial = adapt(run, tmp_path).run.spec.recipe.initial_checkpoint
    assert initial.uri == expected.format(volume=tmp_path)


def test_words_of_a_command_move_where_they_are_paths_on_the_volume(tmp_path: Path) -> None:
    words = ["--data=/mnt/never-there/a=b/train", "/mnt/never-there", "--out", "/mnt/never-there-2", "--lr=0.1", "a=b"]
    run = run_of(
        storage=CLAIM, recipe=None, trainer={"command": ["python", "/mnt/never-there/train.py"], "args": words}
    )
    trainer = adapt(run, tmp_path).run.spec.trainer
    assert list(trainer.command) == ["python", f"{tmp_path}/train.py"]
    assert list(trainer.args) == [f"--data={tmp_path}/a=b/train", str(tmp_path), *words[2:]]


def test_paths_beside_the_volume_stay(tmp_path: Path) -> None:
    run = run_of(storage=CLAIM, recipe=recipe("/mnt/never-there-2/data", "/mnt/never-there"))
    assert paths(adapt(run, tmp_path).run) == ["/mnt/never-there-2/data", str(tmp_path)]


def test_a_volume_that_is_mounted_here_is_used_as_it_is(tmp_path: Path) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "models", "mountPath": str(tmp_path)}}
    adapted = adapt(run_of(storage=claim, recipe=recipe(f"{tmp_path}/data")), None)
    assert adapted.volume == tmp_path
    assert paths(adapted.run) == [f"{tmp_path}/data"]


def test_without_a_volume_its_name_is_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    adapted = adapt(run_of(storage=CLAIM), None)
    assert adapted.volume == (tmp_path / ".trainingrun" / "models").resolve()
    assert adapted.volume.is_dir()


def test_rows_on_another_claim_are_in_a_folder_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "datasets"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
    ]
    mounts = [
        {"name": "data", "mountPath": "/mnt/never-there/data", "subPath": "digits"},
        {"name": "keys", "mountPath": "/mnt/never-there-3"},
    ]
    rows = recipe("/mnt/never-there/data/train", "/mnt/never-there/validation")
    adapted = adapt(run_of(storage=CLAIM, volumes=volumes, volumeMounts=mounts, recipe=rows), tmp_path / "storage")
    folder = (tmp_path / ".trainingrun" / "datasets" / "digits").resolve()
    assert paths(adapted.run) == [f"{folder}/train", f"{tmp_path.resolve()}/storage/validation"]
    assert folder.is_dir()
    assert adapted.not_applied == ("image", "volumes[keys]")
    assert (adapted.run.spec.volumes, adapted.run.spec.volume_mounts) == ((), ())


def test_another_claim_that_is_mounted_here_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    run = run_of(
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "datasets"}}],
        volumeMounts=[{"name": "data", "mountPath": f"{tmp_path}/data"}],
        recipe=recipe(f"{tmp_path}/data/train"),
    )
    assert paths(adapt(run, None).run) == [f"{tmp_path.resolve()}/data/train"]


def test_storage_by_uri_stays() -> None:
    adapted = adapt(run_of(), None)
    assert adapted.volume is None
    assert adapted.run.spec.storage.uri == "s3://bucket/runs"


def test_only_fields_that_were_given_are_named_as_not_applied() -> None:
    assert adapt(run_of(), None).not_applied == ("image",)
    run = run_of(
        head={"resources": {"limits": {"cpu": 1}}},
        startDeadlineSeconds=60,
        suspend=False,
        backoffLimit=2,
        imagePullPolicy="Always",
        storage={"uri": "s3://b/x", "secretRef": {"name": "keys"}},
        tracking={"wandb": {"project": "digits", "secretRef": {"name": "keys"}}},
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        trainer={"env": [{"name": "B", "valueFrom": {"configMapKeyRef": {"name": "s", "key": "k"}}}]},
    )
    assert set(adapt(run, None).not_applied) == {
        "image",
        "tracking.wandb.secretRef",
        "imagePullPolicy",
        "head",
        "startDeadlineSeconds",
        "suspend",
        "env[A].valueFrom",
        "trainer.env[B].valueFrom",
        "storage.secretRef",
    }


def test_plain_variables_apply_and_the_trainers_win() -> None:
    run = run_of(
        env=[{"name": "A", "value": "all"}, {"name": "B", "value": "all"}],
        data={"env": [{"name": "B", "value": "data"}, {"name": "C", "value": "data"}]},
        trainer={"env": [{"name": "C", "value": "trainer"}]},
    )
    assert adapt(run, None).variables == {"A": "all", "B": "data", "C": "trainer"}


def test_a_run_of_a_command_is_adapted_too(tmp_path: Path) -> None:
    run = run_of(recipe=None, storage=CLAIM, trainer={"command": ["python", "train.py"]})
    assert adapt(run, tmp_path).run.spec.trainer.command == ("python", "train.py")


def test_data_workers_share_what_the_machine_has() -> None:
    step = {"function": "a:B", "kind": "Class", "concurrency": 2, "resources": {"cpu": 3, "gpu": 1}}
    gpus = {"limits": {"nvidia.com/gpu": 1, "cpu": 8}, "requests": {"nvidia.com/gpu": 1}}
    fields = {**recipe("/data"), "transforms": [{"function": "a:b", "kind": "Row"}, step]}
    adapted = adapt(run_of(recipe=fields, data={"resourcesPerNode": gpus}), None)
    assert adapted.not_applied == ("image", "recipe.transforms[1].resources")
    made = adapted.run.spec.recipe
    assert made is not None and made.transforms is not None
    assert (made.transforms[1].resources, made.transforms[1].concurrency) == (None, 2)
    assert adapted.run.spec.data.resources_per_node.gpus == 0
    single = adapt(run_of(recipe={**recipe("/data"), "transform": step}, data={"resourcesPerNode": gpus}), None)
    assert single.not_applied == ("image", "recipe.transform.resources")


def test_the_cache_moves_with_the_volume_and_what_has_no_path_stays(tmp_path: Path) -> None:
    dataset = {
        "train": {"format": "Parquet", "path": "/mnt/never-there/train", "imageSize": {"height": 8, "width": 8}},
        "onBadRow": {"action": "Skip", "maxShare": "0.01"},
    }
    cached = {**dataset, "cache": {"mode": "ReadWrite", "path": "/mnt/never-there/prepared"}}
    found = adapt(run_of(storage=CLAIM, recipe={"dataset": cached}), tmp_path).run.spec.recipe
    assert found is not None and found.dataset.cache is not None
    assert found.dataset.cache.path == str(tmp_path / "prepared")
    assert found.dataset.on_bad_row.share == 0.01
    without = {**dataset, "cache": {"mode": "Off"}}
    found = adapt(run_of(storage=CLAIM, recipe={"dataset": without}), tmp_path).run.spec.recipe
    assert found is not None and found.dataset.cache is not None and found.dataset.cache.path is None
