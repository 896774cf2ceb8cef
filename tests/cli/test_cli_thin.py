"""`pip install trainingrun` alone has every command that works with a cluster, on Linux and on macOS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from api_double import ApiDouble
from cluster_objects import attempt, run
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from trainingrun.cli import COMMANDS

ROOT = Path(__file__).parents[2]
# What trains or is the operator becomes another program, or needs an extra.
ELSEWHERE = {"convert", "local", "operator", "plan"}
THIN = [name for name in COMMANDS if name not in ELSEWHERE]
# As another system has them: nothing that only Linux has.
_LIKE_MACOS = """
import aiohttp, jinja2, orjson, os, rich.live, socket, sys, urllib.request, yaml, zoneinfo
import pydantic.main
sys.platform = "darwin"
for module, names in ((os, ("sched_getaffinity", "pidfd_open", "eventfd", "memfd_create")), (socket, ("AF_NETLINK",))):
    for name in names:
        delattr(module, name) if hasattr(module, name) else None
"""


def base() -> dict[str, Requirement]:
    """The requirements of the package without extras, by name."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {canonicalize_name(found.name): found for found in map(Requirement, declared)}


def with_what_they_need(names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        needed = [Requirement(text) for text in metadata.requires(name) or ()]
        wanted = {canonicalize_name(r.name) for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})}
        waiting |= wanted - found
    return found


def program() -> str:
    """A program that runs command lines, a list of lists, as if on macOS and where no other package is installed."""
    installed = with_what_they_need(set(base())) | {"trainingrun"}
    others = {
        module
        for module, owners in metadata.packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & installed
    }
    return f"""
import json, sys
from importlib.machinery import PathFinder
class Installed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in {sorted(others)!r} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Installed
{_LIKE_MACOS}
from trainingrun.cli import main
for line in json.loads(sys.argv[1]):
    try:
        main(line)
    except SystemExit as end:
        assert not end.code, line
"""


def run_lines(code: str, lines: list[list[str]]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(lines)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_need_nothing_that_the_package_does_not_bring(kubeconfig: Path, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Running", attempts=[attempt()]))
    sample = str(ROOT / "manifests" / "samples" / "minimal.yaml")
    lines = [
        *([name, "--help"] for name in COMMANDS if name != "operator"),
        ["get"],
        ["status", "mnist"],
        ["describe", "mnist"],
        ["top", "mnist"],
        ["doctor", "--machine"],
        ["suspend", "mnist"],
        ["resume", "mnist"],
        ["validate", sample],
        ["render", sample],
        ["submit", sample, "--dry-run"],
        ["delete", "mnist"],
    ]
    text = run_lines(program(), lines)
    assert "mnist   Running" in text
    assert "training/mnist  Running" in text
    assert text.endswith("mnist deleted\n")


def test_what_the_package_brings_is_there_for_every_system() -> None:
    assert [requirement for requirement in base().values() if requirement.marker is not None] == []
    assert not {"kopf", "ray", "torch", "pyarrow"} & with_what_they_need(set(base()))


@pytest.mark.extended
def test_the_wheel_works_in_an_environment_of_its_own(kubeconfig: Path, double: ApiDouble, tmp_path: Path) -> None:
    double.put("trainingruns", run("mnist", "Running"))
    tools = Path(sys.executable).parent
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    environment = tmp_path / "environment"
    pinned = tmp_path / "pinned.txt"
    pinned.write_text("".join(f"{name}=={metadata.version(name)}\n" for name in with_what_they_need(set(base()))))
    subprocess.run([tools / "uv", "venv", "-q", "--python", sys.executable, environment], check=True)
    install = ["pip", "install", "-q", "--python", environment / "bin" / "python", "-c", pinned, wheel]
    subprocess.run([tools / "uv", *install], check=True)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    for line in (*([name, "--help"] for name in THIN), ["get"], ["init", str(tmp_path / "run"), "--like", "images"]):
        done = subprocess.run([environment / "bin" / "trainingrun", *line], capture_output=True, text=True, env=clean)
        assert done.returncode == 0, done.stderr
        assert "mnist   Running" in done.stdout or line != ["get"]
