"""Finds what belongs to a Ray node among this pod's processes, from /proc alone: without Ray, and in milliseconds.

It knows how Ray starts and names its processes, so that nothing else has to.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainingrun.contract.variables import CONFIG

_PROC = Path("/proc")
_RAYLET = "raylet/raylet"
_WORKER = "ray::RayTrainWorker"
# Ray's job manager gives this to the entrypoint of a job, and to nothing else that runs on the head.
_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
_ADDRESS = "RAY_ADDRESS"
_SHELLS = ("sh", "bash", "dash")


@dataclass(frozen=True)
class Process:
    """A process at one look. `started` tells it from a later one that has been given the same id."""

    pid: int
    parent: int
    started: int
    name: str
    arguments: tuple[str, ...]

    def environment(self) -> dict[str, str]:
        """Its environment when it was started; empty if it is not ours to look at."""
        try:
            pairs = (_PROC / str(self.pid) / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return {}
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        now = _read(self.pid)
        return now is not None and now.started == self.started

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.is_alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


@dataclass(frozen=True)
class RayNode:
    """A Ray node of this pod, by its raylet."""

    raylet: int
    node_id: str
    gcs_address: str
    labels: dict[str, str]
    is_head: bool


def ray_nodes() -> list[RayNode]:
    """The Ray nodes that run here; in a pod there is one."""
    return [_node(one) for one in _processes() if one.arguments and one.arguments[0].endswith(_RAYLET)]


def training_workers(node: RayNode) -> list[Process]:
    """Ray Train's workers on `node`."""
    everyone = list(_processes())
    return [one for one in _below(everyone, node.raylet) if one.arguments[:1] and one.arguments[0].startswith(_WORKER)]


def drivers(head: RayNode) -> list[Process]:
    """The entrypoints of runs that Ray's job manager has started on `head`, by its address where there are others.

    It starts them through a shell, which is left out: a shell that is asked to stop does so at once, and the job is
    then taken for ended while its driver still saves a checkpoint.
    """
    is_alone = sum(node.is_head for node in ray_nodes()) == 1
    jobs = {one.pid: one for one in _processes() if _is_of_a_job(one, None if is_alone else head.gcs_address)}
    found = [one for one in jobs.values() if one.parent not in jobs]
    while shells := [one for one in found if one.name in _SHELLS and _children(one, jobs)]:
        found = [one for one in found if one not in shells] + [
            kid for shell in shells for kid in _children(shell, jobs)
        ]
    return found


def _is_of_a_job(process: Process, address: str | None) -> bool:
    environment = process.environment()
    return _JOB in environment and CONFIG in environment and address in (None, environment.get(_ADDRESS))


def _children(process: Process, among: dict[int, Process]) -> list[Process]:
    return [one for one in among.values() if one.parent == process.pid]


def _below(processes: list[Process], ancestor: int) -> list[Process]:
    parents = {one.pid: one.parent for one in processes}

    def is_below(pid: int) -> bool:
        while pid in parents:
            pid = parents[pid]
            if pid == ancestor:
                return True
        return False

    return [one for one in processes if is_below(one.pid)]


def _processes() -> Iterator[Process]:
    """Every process of this container; those of containers inside it have a space of ids of their own."""
    here = _namespace("self")
    for folder in _PROC.iterdir():
        if folder.name.isdigit() and _namespace(folder.name) == here and (one := _read(int(folder.name))) is not None:
            yield one


def _namespace(pid: str) -> str | None:
    try:
        return os.readlink(_PROC / pid / "ns" / "pid")
    except OSError:
        return None


def _read(pid: int) -> Process | None:
    """None for one that has ended, also where its parent has not noticed yet."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
        line = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None
    name, _, rest = stat.partition("(")[2].rpartition(")")
    fields = rest.split()  # from field 3 of proc(5) on
    if fields[0] in ("Z", "X"):
        return None
    arguments = tuple(line.rstrip("\0").split("\0")) if line else ()
    return Process(pid=pid, parent=int(fields[1]), started=int(fields[19]), name=name, arguments=arguments)


def _node(raylet: Process) -> RayNode:
    said = dict(argument.lstrip("-").split("=", 1) for argument in raylet.arguments if "=" in argument)
    return RayNode(
        raylet=raylet.pid,
        node_id=said.get("node_id") or said.get("node-id", ""),
        gcs_address=said.get("gcs-address", ""),
        labels=json.loads(said.get("labels") or "{}"),
        is_head="--head" in raylet.arguments,
    )
