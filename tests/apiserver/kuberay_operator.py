"""The real KubeRay operator as a process, with the rights that its own manifests give it."""

from __future__ import annotations

from pathlib import Path

import yaml
from child_process import ChildProcess, answer_of, free_port
from control_plane import ControlPlane
from ray_dashboard import RayDashboard


def definitions(module: Path) -> list[Path]:
    """KubeRay's CustomResourceDefinitions that the operator cannot start without."""
    folder = module / "config" / "crd" / "bases"
    return [folder / f"ray.io_{plural}.yaml" for plural in ("rayclusters", "rayjobs", "rayservices")]


def kuberay_process(plane: ControlPlane, program: Path, module: Path, dashboard: RayDashboard) -> ChildProcess:
    """KubeRay, started and ready. It reaches every head's dashboard through `dashboard`, as through a proxy."""
    _grant(plane, yaml.safe_load((module / "config" / "rbac" / "role.yaml").read_text()))
    probe = f"127.0.0.1:{free_port()}"
    command = [
        str(program),
        f"--kubeconfig={plane.kubeconfig('kuberay')}",
        "--enable-leader-election=false",
        "--metrics-addr=0",
        f"--health-probe-bind-address={probe}",
        "--reconcile-concurrency=10",
        "--qps=500",
        "--burst=1000",
        "--log-stdout-encoder=console",
        # It logs whole objects at every step.
        "--zap-log-level=error",
    ]
    # KubeRay asks http://<head service>.<namespace>.svc.<domain>:8265, a name that only a cluster's DNS knows. Go's
    # client hands it to HTTP_PROXY as it is; the API server is reached directly, since it is HTTPS and on loopback.
    # --use-kubernetes-proxy would need endpoints, for which no server takes a loopback address.
    process = ChildProcess("kuberay", command, plane.folder, {"HTTP_PROXY": dashboard.url})
    process.start()
    process.wait_until(lambda: answer_of(f"http://{probe}/readyz")[0] == 200)
    return process


def _grant(plane: ControlPlane, role: dict) -> None:
    name = role["metadata"]["name"]
    plane.admin.apply("clusterroles", role)
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "kuberay"}],
    }
    plane.admin.apply("clusterrolebindings", binding)
