"""`report` of a run in the cluster: it is read from where the run keeps its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import s3fs
from api_double import ApiDouble
from cluster_objects import run
from command_line import Run

from trainingrun.contract.records import AttemptStarted, Progress, Record


def _records() -> list[Record]:
    started = AttemptStarted(
        time=1.0,
        attempt=0,
        run="mnist",
        world_size=1,
        epochs=1,
        first_epoch=0,
        first_step=0,
        resumed_from=None,
        storage="s3://runs/u",
        versions={},
        configuration={},
    )
    progress = Progress(
        time=2.0,
        attempt=0,
        epoch=0,
        epochs=1,
        step=1,
        total_steps=2,
        percent=50.0,
        rows=1,
        rows_per_second=1.0,
        metrics={"loss": 0.4375},
        eta_seconds=1.0,
        stall=None,
        goodput_percent=None,
    )
    return [started, progress]


def _put(double: ApiDouble, folder: str | None, **storage: object) -> None:
    body = run("mnist", **({"outputs": {"folderURI": folder}} if folder else {}))
    body["spec"]["storage"] = storage
    double.put("trainingruns", body)


def _lines() -> str:
    return "".join(record.to_json() + "\n" for record in _records())


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_in_an_object_store_is_read_from_there(cli: Run, double: ApiDouble, store: s3fs.S3FileSystem) -> None:
    store.pipe_file("bucket/runs/u/progress/attempt-0000.jsonl", _lines().encode())
    _put(double, "s3://bucket/runs/u", uri="s3://bucket/runs")
    result = cli("report", "mnist")
    assert (result.exit_code, result.stdout) == (0, "mnist-report.html\n")
    assert "0.4375" in Path("mnist-report.html").read_text()
    assert cli("report", "s3://bucket/runs/u", "--output", "page.html").stdout == "page.html\n"
    assert Path("page.html").read_text() == Path("mnist-report.html").read_text()


def test_a_folder_without_records_in_a_store_is_one_sentence(cli: Run, store: s3fs.S3FileSystem) -> None:
    for uri in ("s3://bucket/nothing", "s3://no-such-bucket/nothing"):
        result = cli("report", uri)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"Error: {uri}: ") and result.stderr.count("\n") == 1
    assert "cannot be read" in cli("report", "gs-nope://bucket/runs").stderr


def test_a_volume_is_read_where_it_is_mounted(cli: Run, double: ApiDouble, tmp_path: Path) -> None:
    claim = {"claimName": "runs", "mountPath": str(tmp_path / "volume")}
    _put(double, "pvc://runs/u", persistentVolumeClaim=claim)
    result = cli("report", "mnist")
    assert result.exit_code == 4
    assert f"where it is mounted as in the run's pods, it is {tmp_path}/volume/u/report.html" in result.stderr
    logs = tmp_path / "volume" / "u" / "progress"
    logs.mkdir(parents=True)
    (logs / "attempt-0000.jsonl").write_text(_lines())
    assert cli("report", "mnist").stdout == f"{tmp_path}/volume/u/report.html\n"


def test_a_run_that_has_not_begun_has_no_report(cli: Run, double: ApiDouble) -> None:
    _put(double, None)
    result = cli("report", "mnist")
    assert (result.exit_code, "its first attempt has not begun" in result.stderr) == (4, True)
    assert "There is no TrainingRun nowhere" in cli("report", "nowhere").stderr
