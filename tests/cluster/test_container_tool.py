"""What is said before a cluster is made on a machine that lacks something."""

from __future__ import annotations

import re
from pathlib import Path

import container_tool
import pytest
from base_image import PROGRAMS
from container_tool import ClusterError, find_tool

_PODMAN = ["netavark", "aardvark-dns", "podman", "runc", "iptables"]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without programs; they can be put into the folder."""
    monkeypatch.setattr(container_tool, "_PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _install(folder: Path, *programs: str) -> None:
    for program in programs:
        (folder / program).touch(mode=0o755)


def test_everything_that_is_missing_is_in_one_message(bare: Path) -> None:
    _install(bare, "runc")
    with pytest.raises(ClusterError) as raised:
        find_tool(bare / "settings", also=PROGRAMS)
    lacking = [*(program for program in _PODMAN if program != "runc"), "debootstrap"]
    said = str(raised.value)
    assert said.startswith(f"This machine lacks {', '.join(lacking)}: ")
    (command,) = re.findall(r"`apt-get install [^`]*`", said)
    assert command.strip("`").split()[-len(lacking) :] == lacking
    assert said.endswith("or start Docker's engine.")


def test_docker_needs_only_what_builds_the_base_image(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTAINER_TOOL", "docker")
    assert find_tool(bare / "settings").name == "docker"
    with pytest.raises(ClusterError, match=r"^This machine lacks debootstrap: install with `[^`]*`\.$"):
        find_tool(bare / "settings", also=PROGRAMS)


def test_someone_who_is_not_root_is_told_so(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(bare, *_PODMAN, *PROGRAMS)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="need root here: run as root, or start Docker's engine"):
        find_tool(bare / "settings", also=PROGRAMS)
