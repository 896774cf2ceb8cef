"""However an attempt ends, its driver ends with a code and a last word that the operator can read."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from driver_processes import driver, ended
from run_samples import run_of, trainer

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, parse_line
from trainingrun_trainer import placement
from trainingrun_trainer.driver import launch as launching
from trainingrun_trainer.driver.attempt import StopRequest
from trainingrun_trainer.driver.entrypoint import prepare_environment
from trainingrun_trainer.driver.options import parse
from trainingrun_trainer.failures.errors import InvalidConfiguration, NodesLost
from trainingrun_trainer.placement import DATA_SELECTOR, TRAINER_SELECTOR, Node, Workers
from trainingrun_trainer.storage import RunStorage


def document(place: Path, **fields: object) -> dict[str, object]:
    recipe = {"dataset": {"train": {"format": "Parquet", "path": str(place / "nothing")}}, "globalBatchSize": 48}
    return run_of(storage={"uri": f"file://{place}/storage"}, recipe=recipe, trainer=trainer(), **fields).to_document()


def last_word(place: Path, run: Callable[..., None], *arguments: str) -> tuple[int | None, AttemptEnded]:
    """The exit code and the last line of a driver that prints JSON."""
    code, output = ended(place, run, *arguments)
    last = parse_line(output.splitlines()[-1])
    assert isinstance(last, AttemptEnded), output
    return code, last


def test_a_file_that_is_no_run(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("kind: TrainingRun")
    code, last = last_word(tmp_path, driver, "--config", str(file), "--json", "--attempt", "4")
    assert (code, last.exit_code, last.outcome, last.attempt) == (12, 12, "InvalidConfig", 4)
    assert "apiVersion" in last.message


def test_data_that_are_missing_are_told_in_the_runs_folder_too(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(document(tmp_path)))
    code, last = last_word(tmp_path, driver, "--config", str(file), "--json")
    assert code == 12 and "found nothing at" in last.message
    log = tmp_path / "storage" / "digits" / "progress" / "attempt-0000.jsonl"
    assert [parse_line(line) for line in log.read_text().splitlines()] == [last]


def test_a_store_that_cannot_be_written_is_told_before_data_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("a file in the place of a folder")
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(document(tmp_path)))
    code, last = last_word(tmp_path, driver, "--config", str(file), "--json")
    assert code == 12
    assert last.message.startswith(f'spec.storage: "file://{tmp_path}/storage/digits" cannot be written: ')


def driver_with_a_bug(config: str) -> None:
    sys.exit(launching.launch(parse(["--config", config, "--json"]), lambda run, attempt, fence: 1 / 0))


def test_what_nobody_has_foreseen_is_told_with_its_traceback(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(document(tmp_path)))
    exit_code, last = last_word(tmp_path, driver_with_a_bug, str(file))
    assert (exit_code, last.outcome) == (13, "UserError")
    assert last.message.startswith("Traceback") and last.message.endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("uri", "package"), [("gs://bucket/runs", "gcsfs"), ("abfs://bucket/runs", "adlfs")])
def test_the_package_that_a_store_needs_is_named(uri: str, package: str) -> None:
    with pytest.raises(InvalidConfiguration, match=rf'^spec\.storage\.uri: "{uri}" cannot be used: .*{package}'):
        RunStorage(uri, "digits").checkpoints()


@pytest.mark.parametrize(
    ("uri", "words"),
    [("nowhere://bucket/runs", "nowhere:// is no scheme of a store, allowed: s3://, gs://"), ("adl://bucket/runs", "")],
    ids=["unknown", "not installed"],
)
def test_a_store_that_nothing_here_can_speak_to_is_a_wrong_configuration(uri: str, words: str) -> None:
    with pytest.raises(InvalidConfiguration, match=rf'^spec\.storage\.uri: "{uri}" cannot be used: {words}'):
        RunStorage(uri, "digits").checkpoints()


def test_nodes_that_are_lost_before_the_start_are_no_mistake_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a cluster that was made for the run. A person who chose another one, or the workers, must choose again."""
    monkeypatch.setattr(launching, "_NODES_SECONDS", 0.0)
    monkeypatch.setattr(launching, "_OWN_NODES_SECONDS", 0.0)
    monkeypatch.setattr(placement, "live_nodes", lambda: [Node("d", "data-0", 4, 0, dict(DATA_SELECTOR))])
    one = Workers(count=1, gpus=0, cpus=1)
    with pytest.raises(NodesLost, match="no live node"):
        launching._await_nodes(one, parse([]), StopRequest())
    with pytest.raises(InvalidConfiguration, match="no live node"):
        launching._await_nodes(one, parse(["--num-workers", "1"]), StopRequest())


def test_nodes_that_come_back_after_their_head_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver starts with the head, and the other nodes notice only then that they have lost the one before."""
    both = [Node("d", "data-0", 4, 0, dict(DATA_SELECTOR)), Node("t", "trainer-0", 1, 0, dict(TRAINER_SELECTOR))]
    looks = iter([[], both[:1], both])
    monkeypatch.setattr(launching, "_NODES_SECONDS", 0.0)
    monkeypatch.setattr(placement, "live_nodes", lambda: next(looks))
    launching._await_nodes(Workers(count=1, gpus=0, cpus=1), parse([]), StopRequest())
    assert next(looks, None) is None


def test_a_stop_ends_the_wait_for_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "live_nodes", list)
    launching._await_nodes(Workers(count=1, gpus=0, cpus=1), parse([]), StopRequest(Exit.PREEMPTED))


def test_settings_of_the_environment_are_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TRAIN_ENABLE_STATE_TRACKING", raising=False)
    monkeypatch.setenv("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "1")
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "7")
    monkeypatch.setenv("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "7")
    prepare_environment()
    assert {name: value for name, value in launching.os.environ.items() if name.startswith("RAY_TRAIN_")} == {
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "1",
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "7",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "7",
    }


def test_a_driver_that_waits_is_told_the_address_on_its_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("127.0.0.1:6379\n"))
    assert launching._address("10.0.0.7:6379") == "10.0.0.7:6379"
    assert launching._address("-") == "127.0.0.1:6379"
    with pytest.raises(NodesLost, match="has ended without the address"):
        launching._address("-")


def test_ray_is_to_set_the_path_only_where_nodes_have_it_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/next/to/the/file")
    assert launching._worker_environment() == {"PYTHONPATH": "/next/to/the/file"}
    monkeypatch.setenv("TRAININGRUN_NODES_HAVE_PATH", "1")
    assert launching._worker_environment() == {}
