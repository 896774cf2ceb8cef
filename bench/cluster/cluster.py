"""The cluster with the operator in it, and namespaces for runs. What is missing is said in a sentence."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cluster_client import POD_SECURITY, Cluster, wait_until
from cluster_folder import AUDIT_LOG, FOLDER, HELM, KUBECONFIG, KUBECTL, VOLUME
from container_tool import ClusterError
from digits_dataset import converted_digits
from faults import Faults, faults_of
from helm_release import OPERATOR_NAMESPACE, Release
from namespaces import Namespace
from nodes import KUBERAY_NAMESPACE

from bench.cluster.quiet import wait_until_quiet
from bench.workspace import Workspace

ROOT = Path(__file__).parents[2]
_CLEAR_SECONDS = 300.0


@dataclass(frozen=True)
class KindCluster:
    """The cluster. `audit_log` is what its API server has been asked to change."""

    client: Cluster
    faults: Faults
    datasets: Path
    audit_log: Path = AUDIT_LOG

    @contextmanager
    def namespace(self, name: str, *, is_restricted: bool = True) -> Iterator[Namespace]:
        """A namespace with a volume that has the digits in it, on a machine that does nothing else."""
        made = Namespace(self.client, name, VOLUME / name, FOLDER / "unused")
        made.delete()
        made.create(self.datasets)
        if not is_restricted:
            self.client.run("label", "namespace", name, f"{POD_SECURITY}-")
        wait_until_quiet()
        try:
            yield made
        finally:
            self._clear(made)

    def operator_pod(self) -> str:
        """The name of the operator's pod."""
        (pod,) = self.client.list("pods", OPERATOR_NAMESPACE, "app.kubernetes.io/component=manager")
        name: str = pod["metadata"]["name"]
        return name

    def versions(self) -> dict[str, str]:
        """Of Kubernetes and of KubeRay, for the record."""
        server = json.loads(self.client.run("version", "--output=json").stdout)["serverVersion"]
        (kuberay,) = self.client.list("deployments", KUBERAY_NAMESPACE)
        image: str = kuberay["spec"]["template"]["spec"]["containers"][0]["image"]
        return {"kubernetes": server["gitVersion"], "kuberay": image.rpartition(":")[2]}

    def _clear(self, namespace: Namespace) -> None:
        """Remove it at once: nobody waits for a checkpoint of what was only measured."""
        self.client.run("delete", "namespace", namespace.name, "--wait=false")

        def is_gone() -> bool:
            if pods := self.client.list("pods", namespace.name):
                # What is gone meanwhile cannot be killed; what is left is there at the next look.
                with suppress(AssertionError, ClusterError):
                    self.faults.kill(*pods)
            return self.client.run("get", "namespace", namespace.name, check=False).returncode != 0

        wait_until(is_gone, _CLEAR_SECONDS, f"namespace {namespace.name} is gone")
        namespace.delete()


def open_cluster(workspace: Workspace) -> KindCluster:
    """The cluster with the operator as it is in this checkout's image and chart. Ends the bench where there is none."""
    if not KUBECONFIG.is_file():
        sys.exit("bench: there is no cluster: run `make cluster` first")
    client = Cluster(KUBECTL, KUBECONFIG)
    if client.run("get", "--raw=/readyz", "--request-timeout=10s", check=False).returncode:
        sys.exit("bench: the cluster does not answer: run `make cluster-delete`, then `make cluster`")
    Release(HELM, client).deploy()
    return KindCluster(client, faults_of(client), converted_digits(workspace.folder / "datasets"))
