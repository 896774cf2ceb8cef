"""One MLflow run per TrainingRun on MLflow's own server, and what is said where a server refuses."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from run_samples import run_of
from tracked_attempts import record_attempt

from trainingrun.contract.exits import Exit
from trainingrun_trainer.driver.tracking.tracker import Tracker
from trainingrun_trainer.storage import RunStorage

# Its client alone takes seconds to load, its server more.
pytestmark = pytest.mark.extended


@pytest.fixture(autouse=True)
def _time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tracker, "_CLOSE_SECONDS", 120.0)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mlflow")
    program = [sys.executable, str(Path(__file__).with_name("mlflow_server.py")), str(folder)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def train(
    uri: str, storage: RunStorage, attempt: int, code: Exit, *steps: int, experiment: str = "digits", **recipe: Any
) -> str:
    """Record an attempt that ends with `code`; what its tracker said, empty if nothing."""
    dataset = {"train": {"format": "Parquet", "path": "/data/train"}}
    run = run_of(
        metadata={"uid": "5f4c1f0a-7d5e", "namespace": "vision"},
        recipe={"dataset": dataset, **recipe},
        tracking={"tensorboard": False, "mlflow": {"uri": uri, "experiment": experiment}},
        code={"uri": "s3://bucket/code.tar.gz", "sha256": "1b" * 32},
    )
    return record_attempt(run, storage, attempt, code, *steps)


@pytest.fixture
def storage(tmp_path: Path) -> RunStorage:
    return RunStorage(str(tmp_path), "digits")


def test_attempts_continue_one_run(server: str, storage: RunStorage) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(server)

    def found() -> Any:
        experiment = client.get_experiment_by_name("digits")
        (run,) = client.search_runs([experiment.experiment_id])
        return run

    assert train(server, storage, 0, Exit.INFRASTRUCTURE, 1, 2) == ""
    assert (found().info.status, found().info.end_time) == ("RUNNING", None)
    assert train(server, storage, 1, Exit.COMPLETE, 2, 3, epochs=20) == ""
    run = found()
    assert (run.info.status, run.info.run_name) == ("FINISHED", "digits")
    assert run.data.params["epochs"] == "10"  # MLflow's parameters never change
    assert run.data.params["optimizer.parameters.lr"] == "0.001"
    told = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    assert told == {
        "trainingrun.uid": "5f4c1f0a-7d5e",
        "trainingrun.name": "digits",
        "trainingrun.namespace": "vision",
        "trainingrun.image": "trainer:1",
        "trainingrun.code": f"sha256:{'1b' * 32}",
        "trainingrun.folder": storage.location,
        "trainingrun.outcome": "Complete",
        "changed.epochs": "20",
    }
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert {(point.step, round(point.value, 6)) for point in history} == {(1, 1.0), (2, 0.5), (3, 0.333333)}
    assert run.data.metrics["validation/loss"] == 0.75
    assert run.data.metrics["learning_rate"] == 0.1


@pytest.mark.parametrize(("code", "status"), [(Exit.USER_ERROR, "FAILED"), (Exit.ABORTED, "KILLED")])
def test_an_end_for_good_is_the_runs(server: str, storage: RunStorage, code: Exit, status: str) -> None:
    from mlflow import MlflowClient

    assert train(server, storage, 0, code, experiment=status) == ""
    client = MlflowClient(server)
    (run,) = client.search_runs([client.get_experiment_by_name(status).experiment_id])
    assert run.info.status == status


@pytest.mark.parametrize(
    ("answer", "words"),
    [(401, "refuses the credentials (401); spec.tracking.mlflow.secretRef names the Secret"), (500, "500")],
)
def test_a_server_that_refuses_is_told_in_words(storage: RunStorage, answer: int, words: str) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answer)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Refusing) as refusing:
        threading.Thread(target=refusing.serve_forever, daemon=True).start()
        said = train(f"http://127.0.0.1:{refusing.server_port}", storage, 0, Exit.COMPLETE, 1)
        refusing.shutdown()
    assert words in said and said.endswith("; training continues")


def test_a_server_that_is_down_is_told_in_words(storage: RunStorage) -> None:
    assert "spec.tracking.mlflow cannot be written: http://127.0.0.1:9: " in train(
        "http://127.0.0.1:9", storage, 0, Exit.COMPLETE, 1
    )
