"""`trainingrun export` checks its options, and becomes the program that exports."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from trainingrun.cli import main


class Became(Exception):
    """This process would have been replaced."""


def test_the_program_gets_what_to_read_and_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def execv(_path: str, arguments: list[str]) -> None:
        started.extend(arguments)
        raise Became

    monkeypatch.setattr(os, "execv", execv)
    call = ["export", "s3://runs/digits/best", "--format", "onnx", "-o", "digits.onnx"]
    assert isinstance(CliRunner().invoke(main, call).exception, Became)
    assert started[1:] == ["-m", "trainingrun_trainer.prediction", "s3://runs/digits/best", "onnx", "digits.onnx"]


@pytest.mark.parametrize("options", [["--format", "pickle", "-o", "a"], ["--format", "onnx"], ["-o", "a"]])
def test_what_is_missing_or_unknown_is_refused(options: list[str]) -> None:
    result = CliRunner().invoke(main, ["export", "runs/digits", *options])
    assert result.exit_code == 2
    assert "--format" in result.stderr or "--output" in result.stderr
