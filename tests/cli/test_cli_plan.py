"""`trainingrun plan` checks its file and options, and becomes the program that measures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from trainingrun.cli import main
from trainingrun.contract.exits import Exit

MINIMAL = Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml"


class Became(Exception):
    """This process would have been replaced."""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    started: list[str] = []

    def execv(_path: str, arguments: list[str]) -> None:
        started.extend(arguments)
        raise Became

    monkeypatch.setattr(os, "execv", execv)
    return started


def test_the_program_gets_the_file_and_the_options(program: list[str]) -> None:
    options = ["--sample", "64", "--trainer-rate", "1500", "-o", "json"]
    assert isinstance(CliRunner().invoke(main, ["plan", "-f", str(MINIMAL), *options]).exception, Became)
    assert program[1:] == [
        *("-m", "trainingrun_trainer.local.plan_ahead", str(MINIMAL)),
        *("--sample", "64", "--output", "json", "--trainer-rate", "1500.0"),
    ]


def test_a_file_that_is_not_valid_is_told_before_anything_is_started(program: list[str], tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(MINIMAL.read_text().replace("epochs: ", "epoch: "))
    result = CliRunner().invoke(main, ["plan", "-f", str(file)])
    assert result.exit_code == Exit.INVALID_CONFIG
    assert "spec.recipe.epoch" in result.stderr
    assert program == []


def test_a_second_file_never_takes_the_place_of_the_first(program: list[str]) -> None:
    result = CliRunner().invoke(main, ["plan", "-f", str(MINIMAL), "-f", str(MINIMAL)])
    assert (result.exit_code, program) == (2, [])
    assert "one file at a time" in result.stderr


@pytest.mark.parametrize("options", [["--sample", "0"], ["--trainer-rate", "0"], ["-o", "yaml"]])
def test_an_option_out_of_range_is_refused(program: list[str], options: list[str]) -> None:
    result = CliRunner().invoke(main, ["plan", "-f", str(MINIMAL), *options])
    assert result.exit_code == 2
    assert options[0].lstrip("-") in result.stderr or "--output" in result.stderr
    assert program == []


@pytest.mark.parametrize("command", ["plan", "local"])
def test_a_run_is_planned_and_trained_here_with_the_runtime_in_its_file(
    program: list[str], tmp_path: Path, command: str
) -> None:
    _, cluster, _, run, _ = (MINIMAL.parent / "runtime.yaml").read_text().split("---\n")
    alone, together = tmp_path / "alone.yaml", tmp_path / "together.yaml"
    alone.write_text(run)
    together.write_text(f"{run}---\n{cluster}")
    result = CliRunner().invoke(main, [command, "-f", str(alone)])
    assert result.exit_code == Exit.INVALID_CONFIG and program == []
    assert "spec.runtimeRef: found ClusterTrainingRuntime gpu, allowed: a runtime" in result.stderr
    assert isinstance(CliRunner().invoke(main, [command, "-f", str(together)]).exception, Became)
    assert str(together) in program
