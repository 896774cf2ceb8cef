"""Breaks something of the control plane, of KubeRay, of an operator or of a run, as a seed says, and mends it again.

Whatever is killed is started anew at once: how long it takes until all is well again is not its business.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from child_process import ChildProcess
from control_plane import ControlPlane
from operator_process import OperatorProcess
from training_runs import TrainingRuns

# How often each happens, against the others.
_WEIGHTS = {"operator": 4, "starved operator": 2, "pod": 6, "kuberay": 2, "API server": 1, "RayJob": 1, "suspension": 2}


class Havoc:
    """Breaks one thing at a time. `done` counts what was broken."""

    def __init__(
        self, seed: int, plane: ControlPlane, kuberay: ChildProcess, victim: OperatorProcess, runs: TrainingRuns
    ):
        self.done: Counter[str] = Counter()
        self._choose = random.Random(seed)
        self._plane = plane
        self._kuberay = kuberay
        self._victim = victim
        self._runs = runs
        self._ways: dict[str, Callable[[], object]] = {
            "operator": self._kill_operator,
            "starved operator": self._starve_operator,
            "pod": self._kill_pod,
            "kuberay": self._kill_kuberay,
            "API server": plane.restart_api_server,
            "RayJob": self._delete_ray_job,
            "suspension": self._suspend,
        }

    def strike(self) -> None:
        """Break something."""
        (way,) = self._choose.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        self._ways[way]()
        self.done[way] += 1

    def mend(self) -> None:
        """Let every run go on."""
        for run in self._runs.admin.list("trainingruns", self._runs.namespace):
            if run["spec"].get("suspend"):
                self._set_suspend(run["metadata"]["name"], False)

    def _kill_operator(self) -> None:
        self._victim.kill()
        self._victim.start(until_ready=False)

    def _starve_operator(self) -> None:
        with self._victim.paused():
            time.sleep(self._choose.uniform(1.0, 12.0))

    def _kill_kuberay(self) -> None:
        self._kuberay.kill()
        self._kuberay.start()

    def _kill_pod(self) -> None:
        """A pod dies; of a head, what ran on it is lost too."""
        pod = self._any("pods")
        if pod is None:
            return
        labels = pod["metadata"]["labels"]
        if labels.get("ray.io/node-type") == "head":
            cluster = labels["ray.io/cluster"]
            for job in self._runs.dashboard.jobs_in(self._runs.namespace):
                if job.status == "RUNNING" and job.head.startswith(cluster[:40]):
                    self._runs.dashboard.lose(job)
        self._delete("pods", pod)

    def _delete_ray_job(self) -> None:
        job = self._any("rayjobs")
        if job is not None:
            self._delete("rayjobs", job)

    def _suspend(self) -> None:
        """A person has a run rest; the one that rested before goes on."""
        self.mend()
        run = self._any("trainingruns")
        if run is not None:
            self._set_suspend(run["metadata"]["name"], True)

    def _set_suspend(self, name: str, suspend: bool) -> None:
        self._runs.admin.patch("trainingruns", name, {"spec": {"suspend": suspend}}, self._runs.namespace)

    def _any(self, plural: str) -> Any:
        listed = self._runs.admin.list(plural, self._runs.namespace)
        going = [body for body in listed if body.get("status", {}).get("state") not in ("Complete", "Failed")]
        present = [body for body in going if "deletionTimestamp" not in body["metadata"]]
        return self._choose.choice(present) if present else None

    def _delete(self, plural: str, body: Any) -> None:
        """It may have gone by itself in the meantime."""
        if self._runs.admin.find(plural, body["metadata"]["name"], self._runs.namespace):
            self._runs.admin.delete(plural, body["metadata"]["name"], self._runs.namespace)
