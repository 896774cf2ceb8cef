"""What can break in a cluster, broken on purpose: containers killed, nodes drained, paused and stopped.

What is broken for a while is whole again when its `with` block ends. It asserts nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster_client import Cluster, wait_until
from container_tool import ContainerTool, find_tool
from nodes import offer_gpus

_KILL = ("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL")
# The image has no program for it.
_KILL_BY_NAME = """
import os, pathlib, signal
found = [comm.parent.name for comm in pathlib.Path("/proc").glob("[0-9]*/comm") if comm.read_text() == "{name}\\n"]
assert found
for pid in found:
    os.kill(int(pid), signal.SIGKILL)
"""
_NODE_SECONDS = 240.0


@dataclass(frozen=True)
class Faults:
    """Breaks things of one cluster, whose nodes are containers of `tool`."""

    cluster: Cluster
    tool: ContainerTool

    def kill(self, *pods: dict[str, Any]) -> float:
        """Kill every container of the pods and remove the pods; returns when, in seconds since 1970.

        Without the signal, a pod that is removed at once still has all its time to say goodbye on its node.
        """
        killed = time.time()
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(self.kill_containers, pods))
        for namespace in {pod["metadata"]["namespace"] for pod in pods}:
            names = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["namespace"] == namespace]
            self.cluster.run("delete", "pod", *names, f"--namespace={namespace}", "--grace-period=0", "--force")
        return killed

    def kill_containers(self, pod: dict[str, Any]) -> float:
        """Kill what runs of a pod, as a crash would; the pod stays. Returns when, in seconds since 1970."""
        killed = time.time()
        for container in pod["status"].get("containerStatuses", ()):
            if "running" in container["state"]:
                container_id = container["containerID"].rpartition("/")[2]
                self.tool.run("exec", pod["spec"]["nodeName"], *_KILL, container_id)
        return killed

    def kill_process(self, pod: dict[str, Any], name: str) -> float:
        """Kill a process of Ray's container by its name; the pod stays. Returns when, in seconds since 1970."""
        code = _KILL_BY_NAME.format(name=name)
        metadata, container = pod["metadata"], pod["spec"]["containers"][0]["name"]
        place = [metadata["name"], f"--namespace={metadata['namespace']}", f"--container={container}"]
        killed = time.time()
        self.cluster.run("exec", *place, "--", "python", "-c", code)
        return killed

    @contextmanager
    def drained(self, node: str) -> Iterator[None]:
        """A node without pods, which gets none either."""
        try:
            self.cluster.run("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s")
            yield
        finally:
            self.cluster.run("uncordon", node)

    @contextmanager
    def frozen(self, node: str) -> Iterator[None]:
        """A node that does not answer, with everything on it."""
        self.tool.run("pause", node)
        try:
            yield
        finally:
            self.tool.run("unpause", node)
            self._wait_for_node(node, "True")

    @contextmanager
    def off(self, node: str) -> Iterator[None]:
        """A node whose power is cut, and which the cluster has noticed to be gone."""
        self.tool.run("stop", "-t", "0", node)
        try:
            self._wait_for_node(node, "Unknown")
            yield
        finally:
            self.tool.run("start", node)
            self._wait_for_node(node, "True")
            offer_gpus(self.cluster.kubectl, self.cluster.kubeconfig)

    def wait_for_api_server(self) -> None:
        """Wait until the API server is ready to answer."""
        ready = ("get", "--raw=/readyz")
        wait_until(lambda: self.cluster.run(*ready, check=False).returncode == 0, _NODE_SECONDS, "the API server")

    def _wait_for_node(self, node: str, status: str) -> None:
        condition = f"--for=condition=Ready={status}"
        self.cluster.run("wait", f"node/{node}", condition, f"--timeout={_NODE_SECONDS:.0f}s")


def faults_of(cluster: Cluster) -> Faults:
    """The faults of a cluster that `make cluster` has made: its tool's settings are beside its kubeconfig."""
    return Faults(cluster, find_tool(cluster.kubeconfig.parent))
