"""`make help` names every target, each with a line of its own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_target_has_a_line() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert set(listed) == set(phony.group(1).split())
    assert {"setup", "demo", "test", "lint", "help"} <= set(listed)


def test_make_alone_is_help() -> None:
    outputs = {
        subprocess.run(["make", *target], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
        for target in ([], ["help"])
    }
    assert len(outputs) == 1
