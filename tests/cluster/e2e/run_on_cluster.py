"""One TrainingRun on the cluster: what a test asks of it, waits for, and keeps of it. It asserts nothing by itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cluster_client import Cluster, wait_until

from trainingrun.contract.records import LOG_DIRECTORY, EpochEnded, Progress, Record, parse_line

_RUN_NAME = "trainingrun.dev/run-name"


@dataclass(frozen=True)
class TrainingRun:
    """A run by name, in a namespace. `volume` is this machine's view of the namespace's volume."""

    cluster: Cluster
    namespace: str
    volume: Path
    name: str

    def read(self) -> dict[str, Any]:
        """The object as it is now; empty when there is none."""
        return self.cluster.get("trainingrun", self.name, self.namespace) or {}

    @cached_property
    def folder(self) -> Path:
        """Its folder in the volume. Asked once: who waits for steps must not take the machine's time from them."""
        return self.volume / str(self.read()["metadata"]["uid"])

    @property
    def status(self) -> dict[str, Any]:
        """Its status; empty before there is one."""
        status: dict[str, Any] = self.read().get("status", {})
        return status

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The attempts in its status."""
        attempts: list[dict[str, Any]] = self.status.get("attempts", [])
        return attempts

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition of its status; empty when there is none."""
        return next((c for c in self.status.get("conditions", []) if c["type"] == kind), {})

    def is_true(self, kind: str) -> bool:
        """Whether a condition holds."""
        return self.condition(kind).get("status") == "True"

    def pods(self, group: str = "") -> list[dict[str, Any]]:
        """Its pods, or those of one group: head, data or trainer."""
        selector = f"{_RUN_NAME}={self.name}" + (f",trainingrun.dev/group={group}" if group else "")
        return self.cluster.list("pods", self.namespace, selector)

    def wait_for(self, kind: str, seconds: float) -> dict[str, Any]:
        """Wait until a condition holds, and return it."""
        ends = {"Complete", "Failed"}

        def reached() -> dict[str, Any]:
            conditions = {c["type"]: c for c in self.status.get("conditions", []) if c["status"] == "True"}
            if (other := ends & conditions.keys()) and kind not in conditions:
                raise AssertionError(f"the run is {other}, waited for {kind}\n{self.shown()}")
            return conditions.get(kind, {})

        return wait_until(reached, seconds, f"condition {kind} of {self.name}", self.shown)

    def wait_until_over(self, seconds: int) -> None:
        """Wait until it is complete or has failed, whichever, without taking the machine's time from its training."""
        options = [f"--namespace={self.namespace}", "--for=condition=Reconciling=False", f"--timeout={seconds}s"]
        self.cluster.run("wait", f"trainingrun/{self.name}", *options, seconds=seconds + 30)

    def page(self) -> str:
        """What `trainingrun status` shows of it."""
        program = Path(sys.executable).with_name("trainingrun")
        options = ["--namespace", self.namespace, "--kubeconfig", self.cluster.kubeconfig]
        # Wide enough for the longest line.
        environment = {**os.environ, "COLUMNS": "300"}
        command = [program, "status", self.name, *options]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=environment)
        return done.stdout

    def wait_for_step(self, step: int, seconds: float, attempt: int | None = None) -> int:
        """Wait until training has done this many optimizer steps, by what the driver says; returns how many it has."""

        def done() -> int:
            steps = [record.step for record in self.records(attempt) if isinstance(record, (Progress, EpochEnded))]
            return max((s for s in steps if s >= step), default=0)

        return wait_until(done, seconds, f"step {step} of {self.name}", self.shown)

    def records(self, attempt: int | None = None) -> list[Record]:
        """What the driver has said so far, in every attempt or in one; kept in the run's folder."""
        return [record for record in records_in(self.folder) if attempt is None or record.attempt == attempt]

    def shown(self) -> str:
        """Its status and its pods, for a person who looks at a failed test."""
        pods = [
            f"{pod['metadata']['name']} {pod['status'].get('phase')} on {pod['spec'].get('nodeName')}"
            for pod in self.pods()
        ]
        return json.dumps(self.status, indent=1) + "\n" + "\n".join(pods)


def records_in(folder: Path) -> list[Record]:
    """What the drivers of all attempts have said so far, by the logs in a run's folder."""
    logs = sorted((folder / LOG_DIRECTORY).glob("attempt-*.jsonl"))
    lines = (line for log in logs for line in log.read_text().splitlines())
    return [record for line in lines if (record := parse_line(line)) is not None]


def seconds_between(earlier: str, later: str) -> float:
    """Between two of Kubernetes' times."""
    return (_time(later) - _time(earlier)).total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(re.sub("Z$", "+00:00", text))
