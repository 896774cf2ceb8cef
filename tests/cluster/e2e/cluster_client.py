"""The cluster as a person uses it: through kubectl, with every answer read as JSON. It asserts nothing."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

POD_SECURITY = "pod-security.kubernetes.io/enforce"
_T = TypeVar("_T")


class NotReached(AssertionError):
    """What was waited for did not come; the message says what was there instead."""


@dataclass(frozen=True)
class Cluster:
    """kubectl with the kubeconfig of the test cluster."""

    kubectl: Path
    kubeconfig: Path

    def run(
        self, *arguments: str, stdin: str | None = None, check: bool = True, seconds: int = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl."""
        command = [str(self.kubectl), "--kubeconfig", str(self.kubeconfig), *arguments]
        done = subprocess.run(command, input=stdin or "", capture_output=True, text=True, timeout=seconds)
        if check and done.returncode:
            raise AssertionError(
                f"kubectl {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}{done.stdout}"
            )
        return done

    def apply(self, *documents: Mapping[str, Any]) -> None:
        """Apply objects as a pipeline would: on the server's side."""
        self.run("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(documents))

    def create_namespace(self, name: str) -> None:
        """Make a namespace that admits restricted pods only, if it is not there."""
        metadata = {"name": name, "labels": {POD_SECURITY: "restricted"}}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """An object, or None."""
        done = self.run("get", kind, name, f"--namespace={namespace}", "--output=json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout else None

    def list(self, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """The objects of a kind."""
        done = self.run("get", kind, f"--namespace={namespace}", "--output=json", f"--selector={selector}")
        items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return items

    def logs(self, pod: str, namespace: str, *arguments: str) -> str:
        """A pod's log, as far as there is one."""
        return self.run("logs", pod, f"--namespace={namespace}", *arguments, check=False).stdout


def wait_until(probe: Callable[[], _T], seconds: float, what: str, shown: Callable[[], object] = lambda: "") -> _T:
    """Ask until the answer is true, and return it. Raises NotReached with what `shown` says."""
    began = time.monotonic()
    while True:
        if answer := probe():
            return answer
        waited = time.monotonic() - began
        if waited > seconds:
            raise NotReached(f"not within {seconds:.0f} s: {what}\n{shown()}")
        # To ask takes a tenth of a second of a processor, which those need that are waited for.
        time.sleep(min(max(waited / 20, 0.2), 1.0))
