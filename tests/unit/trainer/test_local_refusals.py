"""`trainingrun local` says in a sentence what keeps a run from starting here."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from run_samples import run_of

from trainingrun.cli import main
from trainingrun.contract.records import AttemptEnded, parse_line
from trainingrun_trainer.failures.errors import InvalidConfiguration, NodesLost
from trainingrun_trainer.local import __main__ as program
from trainingrun_trainer.local import place
from trainingrun_trainer.local.kept.__main__ import main as stop_kept
from trainingrun_trainer.local.lock import only_one


def test_a_second_program_on_the_same_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with only_one(tmp_path / "digits" / "local"):
        with pytest.raises(InvalidConfiguration, match=f"trains this run \\(process {os.getpid()}\\), allowed: one"):
            with only_one(tmp_path / "digits" / "local"):
                pytest.fail("two at a time")
        with only_one(tmp_path / "letters" / "local"):
            pass
    with only_one(tmp_path / "digits" / "local"):
        pass


def in_a_file(place: Path, **spec: object) -> str:
    file = place / "run.yaml"
    file.write_text(yaml.safe_dump(run_of(**spec).to_document()))
    return str(file)


def test_a_directory_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also as root, for whom every directory can be written: what must be a directory is a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".trainingrun").write_text("")
    claim = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/absent"}}
    for storage in (claim, {"uri": "s3://bucket/runs"}):
        assert program.main([in_a_file(tmp_path, storage=storage)]) == 12
        message = capsys.readouterr().err
        assert ": found a directory that cannot be written (" in message
        assert "allowed: one that can" in message and message.count("\n") == 1


def test_a_cluster_that_does_not_start_is_an_outage_with_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def none(size: object) -> Iterator[str]:
        raise NodesLost("Ray's node head did not start")
        yield

    monkeypatch.setattr(place, "virtual_cluster", none)
    monkeypatch.setattr(place, "settle_environment", lambda: None)  # it would be that of this process
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    file = in_a_file(tmp_path, storage={"uri": f"file://{tmp_path}"})
    assert program.main([file, "--json"]) == 14
    last = parse_line(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(last, AttemptEnded)
    assert (last.exit_code, last.message) == (14, "Ray's node head did not start")


def test_a_second_file_is_refused(tmp_path: Path) -> None:
    file = in_a_file(tmp_path)
    result = CliRunner().invoke(main, ["local", "-f", file, "-f", file])
    assert result.exit_code == 2
    assert "one file at a time" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--trainers", "2"], "--debug trains in one process: found --trainers 2, allowed: 1."),
        (["--address", "here:6379"], "leave --address out."),
        (["--data-cpus", "1"], "leave --data-cpus out."),
        (["--explain"], "--debug trains and --explain does not: choose one of them."),
        (["--keep"], "--debug starts no Ray cluster that could be kept: leave --keep out."),
    ],
)
def test_what_one_process_cannot_do_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["local", "-f", in_a_file(tmp_path), "--debug", *options])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--keep", "0"], "0 is not in the range 1<=x<=1440."),
        (["--keep", "5", "--address", "here:6379"], "--address trains on a cluster that stays anyway"),
        (["--keep", "--explain"], "--explain starts no Ray cluster that could be kept: leave --keep out."),
    ],
)
def test_keeping_what_is_not_there_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["local", "-f", in_a_file(tmp_path), *options])
    assert result.exit_code == 2
    assert said in result.output


def test_keeping_is_refused_where_it_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    result = CliRunner().invoke(main, ["local", "-f", in_a_file(tmp_path), "--keep"])
    assert result.exit_code == 2
    assert "--keep needs Linux, and this is darwin: leave it out." in result.output


def test_there_may_be_nothing_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert stop_kept() == 1
    assert capsys.readouterr().err == "no cluster is kept: there is nothing to stop\n"
    assert not list(tmp_path.iterdir())
