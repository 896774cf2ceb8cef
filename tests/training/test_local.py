"""`trainingrun local` as a person uses it: scripts of one's own, and storage on S3."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from driving import HOOKS, document, local
from moto.server import ThreadedMotoServer

from trainingrun.contract.records import AttemptStarted, EpochEnded, Progress, parse_line
from trainingrun.history import history_of, read_records

pytestmark = pytest.mark.timeout(600)


@pytest.mark.extended
def test_a_script_of_one_s_own(uneven: Path, tmp_path: Path) -> None:
    """Stopped after an epoch with the same exit code as a recipe, and continued by the same command."""
    run = document(uneven, tmp_path / "storage", {})
    del run["spec"]["recipe"]
    run["spec"]["trainer"] = {"command": [sys.executable, str(HOOKS / "own_script.py")], "args": ["--anything"]}
    run["spec"]["env"] = [{"name": "SECONDS_PER_EPOCH", "value": "1"}]
    training = local(run, tmp_path, "--trainers", "2")
    training.wait_for(lambda records: any(isinstance(r, Progress) for r in records))
    training.signal(signal.SIGINT)
    assert training.end() == 10, training.output()
    before = [r.epoch for r in training.records() if isinstance(r, Progress)]
    assert max(before) < 4

    training = local(run, tmp_path, "--trainers", "2", "--json")
    assert training.end() == 0, training.output()
    lines = [record for line in training.log.read_text().splitlines() if (record := parse_line(line)) is not None]
    last = [r for r in lines if isinstance(r, Progress)][-1]
    assert (last.epoch, last.percent, last.stall) == (4, 100.0, None)
    history = history_of(read_records(tmp_path / "storage" / "test"))
    assert [(epoch.epoch, epoch.metrics["loss"]) for epoch in history.epochs] == [(n, 1 / (1 + n)) for n in range(4)]
    assert (history.epochs_done, history.total_epochs) == (4, 4)
    assert last.metrics["loss"] == 0.25


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A real S3 server in this process; yields the variables that a client needs."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    yield variables
    server.stop()


@pytest.mark.extended
def test_data_and_checkpoints_on_s3(uneven: Path, tmp_path: Path, s3: dict[str, str]) -> None:
    """Stopped and continued with nothing kept on this machine but the report."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="lab")
    for file in uneven.iterdir():
        client.upload_file(str(file), "lab", f"train/{file.name}")
    step = {"function": "training_hooks:slow_step", "parameters": {"seconds": 0.2}}
    recipe = {"trainStep": step, "loss": {"function": "training_hooks:squared_error"}}
    run = document("s3://lab/train/*.parquet", "s3://lab/runs", recipe)
    run["spec"]["env"] = [{"name": name, "value": value} for name, value in s3.items()]
    run["spec"]["storage"]["checkpoints"] = {"everySteps": 5}
    training = local(run, tmp_path, "--json")
    training.wait_for(lambda _: '"CheckpointSaved"' in training.output())
    training.signal(signal.SIGINT)
    assert training.end() == 10, training.output()

    training = local(run, tmp_path, "--json")
    assert training.end() == 0, training.output()
    lines = [record for line in training.log.read_text().splitlines() if (record := parse_line(line)) is not None]
    resumed = [r for r in lines if isinstance(r, AttemptStarted)][-1]
    assert resumed.attempt == 1 and resumed.resumed_from is not None
    assert [r.epoch for r in lines if isinstance(r, EpochEnded)] == [0, 1]
    # Also right after a checkpoint, after the restart and at the end.
    told = [r for r in lines if isinstance(r, Progress)]
    assert told[-1].percent == 100.0 and all(r.rows_per_second for r in told)
    assert (tmp_path / ".trainingrun" / "test" / "report.html").is_file()
    kept = [found["Key"] for found in client.list_objects_v2(Bucket="lab", Prefix="runs/test/step-")["Contents"]]
    newest = max(key for key in kept if key.endswith("/manifest.json"))
    assert json.loads(client.get_object(Bucket="lab", Key=newest)["Body"].read())["position"]["epoch"] == 2
