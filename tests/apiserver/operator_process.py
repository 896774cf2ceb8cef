"""Our operator as a process: the installed command, with the rights of manifests/base/rbac and no others."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from child_process import ChildProcess, answer_of, free_port
from control_plane import ControlPlane
from raw_client import Object

OPERATOR = "trainingrun-operator"
NAMESPACE = "trainingrun-system"
USER = f"system:serviceaccount:{NAMESPACE}:{OPERATOR}"
_KINDS = {
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}


class OperatorProcess(ChildProcess):
    """One replica. Without a `lease_namespace` it acts at once and always, whoever else does.

    `serves` limits it to some namespaces, and `account` is the namespace and name of its service account. `tls` has it
    take reports by TLS, with the control plane's certificate.
    """

    def __init__(
        self,
        plane: ControlPlane,
        name: str = "operator",
        *,
        lease_namespace: str | None = None,
        serves: Sequence[str] = (),
        account: tuple[str, str] = (NAMESPACE, OPERATOR),
        tls: bool = False,
    ):
        ports = free_port(), free_port()
        self._health = f"http://127.0.0.1:{ports[0]}"
        self.progress_port = ports[1]
        self.progress_url = f"{'https' if tls else 'http'}://127.0.0.1:{ports[1]}"
        pair = plane.certificates.serving_certificate, plane.certificates.serving_key
        flags = [
            f"--kubeconfig={plane.kubeconfig(f'{name}-of-{account[0]}', plane.token_of(*account))}",
            "--bind-address=127.0.0.1",
            f"--health-port={ports[0]}",
            f"--progress-port={ports[1]}",
            f"--progress-url={self.progress_url}",
            *([f"--progress-certificate={pair[0]}", f"--progress-key={pair[1]}"] if tls else []),
            *(f"--namespace={namespace}" for namespace in serves),
            *([f"--lease-namespace={lease_namespace}"] if lease_namespace else ["--no-leader-election"]),
            "--lease-seconds=5",
        ]
        super().__init__(name, [sys.executable, "-m", "trainingrun", "operator", *flags], plane.folder)

    def start(self, *, until_ready: bool = True) -> None:
        """Start it, and wait until it is ready if nothing else is said."""
        super().start()
        if until_ready:
            self.wait_until_ready()

    def ensured(self) -> OperatorProcess:
        """Itself, running and ready."""
        if not self.running:
            self.start(until_ready=False)
        self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Wait until it works, or would if it were its turn."""
        self.wait_until(lambda: self.readiness()[0] == 200)

    def readiness(self) -> tuple[int, str]:
        """What its readiness probe gets: a status and words."""
        return answer_of(f"{self._health}/readyz")

    def looks(self, result: str) -> int:
        """How many looks at runs have had this result, by its metrics."""
        found = re.search(rf'^trainingrun_reconcile_total{{result="{result}"}} (\S+)$', self.metrics(), re.M)
        return int(float(found[1])) if found else 0

    def metrics(self) -> str:
        """What Prometheus would read."""
        return answer_of(f"{self._health}/metrics")[1]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stopped for the moment, as on a node that is starved."""
        self.send(signal.SIGSTOP)
        yield
        self.send(signal.SIGCONT)


def grant(plane: ControlPlane, folder: Path) -> list[Object]:
    """Apply the manifests in a folder of kustomize's, in a namespace of their own. Returns its roles."""
    admin = plane.admin
    admin.apply("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    objects = manifests(folder)
    for body in objects:
        apply(plane, body)
    return [body for body in objects if body["kind"] in ("Role", "ClusterRole")]


def manifests(folder: Path) -> list[Object]:
    """What kustomize would find in a folder."""
    files = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [body for file in files for body in yaml.safe_load_all((folder / file).read_text())]


def apply(plane: ControlPlane, body: Object) -> None:
    """Apply an object that gives rights."""
    plane.admin.apply(_KINDS[body["kind"]], body, body["metadata"].get("namespace"))
