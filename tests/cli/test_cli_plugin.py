"""The command line as a program: under its own name, and as kubectl's plugin by a link of that name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from api_double import ApiDouble
from cluster_objects import attempt, run

from trainingrun.cli import COMMANDS


@pytest.fixture
def link(tmp_path: Path) -> Path:
    path = tmp_path / "kubectl-trainingrun"
    path.symlink_to(Path(sys.executable).with_name("trainingrun"))
    return path


def output(program: Path, *arguments: str, **environment: str) -> str:
    process = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=True, env={**os.environ, **environment}
    )
    return process.stdout


def test_a_link_makes_it_a_plugin_of_kubectl(link: Path) -> None:
    text = output(link, "--help")
    assert text.startswith("Usage: kubectl trainingrun [OPTIONS] COMMAND")
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert output(link, "--version").startswith("kubectl trainingrun ")


def test_a_page_names_the_commands_as_they_were_called(link: Path, kubeconfig: Path, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Running", attempts=[attempt()]))
    text = output(link, "status", "mnist", "--context", "double", NO_COLOR="1")
    assert "kubectl trainingrun logs mnist -n training --context double -f" in text
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_help_needs_no_cluster_and_loads_no_client() -> None:
    code = (
        "import sys; from trainingrun.cli import main\n"
        "main(['logs', '--help'], standalone_mode=False)\n"
        "print(sorted({'kubernetes', 'kopf', 'aiohttp', 'rich.console', 'jinja2'} & set(sys.modules)))"
    )
    assert output(Path(sys.executable), "-c", code).endswith("\n[]\n")
