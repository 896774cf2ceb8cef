"""`make help` names every target, each with a line of its own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _output(*targets: str) -> str:
    # The tests themselves run under make, and a make within make also prints the directories it enters.
    command = ["make", "--no-print-directory", *targets]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def test_every_target_has_a_line() -> None:
    listed = dict(line.split(maxsplit=1) for line in _output("help").splitlines())
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(listed) == set(phony.group(1).split())
    assert {"setup", "demo", "test", "lint", "help"} <= set(listed)


def test_make_alone_is_help() -> None:
    assert _output() == _output("help")
