"""The Debian image that every other image is built from where no image registry answers.

It is made by debootstrap from the packages' mirror of this machine. What builds need of the machine beside that (its
certificates, its settings of pip and apt) is mounted while they run, and stays out of every image.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from container_tool import ClusterError, ContainerTool, run, step

# What it takes to build it.
PROGRAMS = ("debootstrap",)
BASE_IMAGE = "localhost/trainingrun/debian:bookworm-slim"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates,procps"
_MIRROR = "http://deb.debian.org/debian"
_SOURCES = f"""\
deb {_MIRROR} {_SUITE} main
deb {_MIRROR} {_SUITE}-updates main
deb {_MIRROR}-security {_SUITE}-security main
"""
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def base_image(tool: ContainerTool) -> str:
    """The image's name. Builds it if it is not there."""
    if not tool.has_image(BASE_IMAGE):
        with step("base image from Debian's packages"):
            _build(tool)
    return BASE_IMAGE


def build_options(tool: ContainerTool) -> list[str]:
    """What `build` is given so that package managers in it reach what this machine reaches."""
    options = ["--network=host"]
    if tool.name == "podman":
        mounts = {path: path for path in (_CERTIFICATES, Path("/etc/pip.conf")) if path.is_file()}
        sources = tool.folder / "sources.list"
        sources.write_text(f"deb {_mirror()} {_SUITE} main\n")
        mounts[sources] = Path("/etc/apt/sources.list")
        options += [f"--volume={ours}:{theirs}:ro" for ours, theirs in mounts.items()]
    return options


def _build(tool: ContainerTool) -> None:
    with tempfile.TemporaryDirectory(prefix="trainingrun-base-") as folder:
        root = Path(folder) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root), _mirror()]
        run(command, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        # Every image asks Debian's own mirror, whichever this machine asks.
        (root / "etc/apt/sources.list").write_text(_SOURCES)
        for downloaded in (root / "var/cache/apt/archives").glob("*.deb"):
            downloaded.unlink()
        shutil.rmtree(root / "var/lib/apt/lists")
        (root / "var/lib/apt/lists").mkdir()
        archive = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        imported = subprocess.run(
            [tool.name, "import", '--change=CMD ["bash"]', "-", BASE_IMAGE],
            stdin=archive.stdout,
            env=tool.environment,
            capture_output=True,
        )
        if archive.wait() or imported.returncode:
            raise ClusterError(f"The base image could not be imported:\n{imported.stderr.decode()[-2000:]}")


def _mirror() -> str:
    """The mirror of this machine's own packages."""
    for file in sorted(Path("/etc/apt").glob("sources.list.d/*.sources")):
        if found := re.search(r"^URIs:\s*(\S*debian\S*/debian/?)\s*$", file.read_text(), re.MULTILINE):
            return found[1]
    listed = Path("/etc/apt/sources.list")
    words = listed.read_text() if listed.is_file() else ""
    found = re.search(r"^deb\s+(?:\[[^]]*\]\s+)?(\S*/debian/?)\s", words, re.MULTILINE)
    return found[1] if found else _MIRROR
