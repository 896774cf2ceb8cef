"""Docker or podman: which one this machine has, and how commands of the cluster's set-up run and are timed.

Podman gets a configuration of its own, so that the user's stays as it is. It must not know what is built or started.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# What podman's defaults do not allow: the machine may not be able to give as many files and processes as podman asks
# for; Ray starts more threads than a container may have; crun refuses machines with cgroups of both versions; and
# without netavark, containers do not find each other by name.
_CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
pids_limit = 0
[engine]
runtime = "runc"
[network]
network_backend = "netavark"
"""
# Debian's packages of these names have them. The first two are not on PATH, and neither is the system's for everyone.
_PODMAN_PROGRAMS = ("netavark", "aardvark-dns", "podman", "runc", "iptables")
_PLACES = ("/usr/sbin", "/usr/libexec/podman", "/usr/local/libexec/podman", "/usr/lib/podman")


class ClusterError(Exception):
    """The cluster cannot be made here; the message says why, and what to do."""


@dataclass(frozen=True)
class ContainerTool:
    """The program that runs containers, and the environment that it and kind are started with.

    `folder` holds what was written for it, and what else the cluster's set-up writes.
    """

    name: str
    folder: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run the tool and return what it printed. Raises ClusterError with its last words."""
        return run([self.name, *arguments], self.environment, stdin)

    def succeeds(self, *arguments: str) -> bool:
        """Whether the tool ends with exit code 0."""
        command = [self.name, *arguments]
        return (
            subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
        )

    def has_image(self, image: str) -> bool:
        """Whether an image of this name is on this machine."""
        return self.succeeds("image", "inspect", image)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, stdin: bytes | None = None) -> str:
    """Run a command and return what it printed. Raises ClusterError with its last words."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run(command, env=environment, capture_output=True, **given)  # type: ignore[call-overload]
    if done.returncode:
        words = (done.stderr + done.stdout)[-3000:].decode(errors="replace").strip()
        raise ClusterError(f"`{' '.join(command[:6])}` ended with exit code {done.returncode}:\n{words}")
    return str(done.stdout.decode())


@contextmanager
def step(words: str) -> Iterator[None]:
    """Print what is done and how many seconds it took."""
    began = time.monotonic()
    yield
    print(f"{words}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def find_tool(folder: Path, also: Sequence[str] = ()) -> ContainerTool:
    """Docker when its engine answers, else podman, configured by a file in `folder`.

    `also` are the programs that are needed beside it. Raises ClusterError that names everything that is missing.
    """
    chosen = os.environ.get("CONTAINER_TOOL") or ("docker" if _docker_answers() else "podman")
    folder.mkdir(parents=True, exist_ok=True)
    if chosen == "docker":
        _require(also, "")
        return ContainerTool("docker", folder, dict(os.environ))
    _require([*_PODMAN_PROGRAMS, *also], ", or start Docker's engine")
    configuration = folder / "containers.conf"
    configuration.write_text(_CONTAINERS_CONF)
    ours = {"CONTAINERS_CONF": str(configuration), "KIND_EXPERIMENTAL_PROVIDER": "podman"}
    return ContainerTool("podman", folder, {**os.environ, **ours})


def _require(programs: Sequence[str], otherwise: str) -> None:
    """Name all that is missing, and the command that installs it, in one sentence. Raises ClusterError."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_PLACES))
    missing = [program for program in programs if not shutil.which(program, path=path)]
    if missing:
        raise ClusterError(
            f"This machine lacks {', '.join(missing)}: install with "
            f"`apt-get install -y --no-install-recommends {' '.join(missing)}`{otherwise}."
        )
    if programs and os.geteuid() != 0:
        raise ClusterError(f"Podman as kind's provider, and debootstrap, need root here: run as root{otherwise}.")


def _docker_answers() -> bool:
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20).returncode == 0
