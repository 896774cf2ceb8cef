"""KubeRay's operator in the cluster: its published image where there is a registry, else one of its Go module.

Its manifests are the module's own, in a namespace of their own.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from container_tool import ContainerTool, run, step
from controller_image import load_controller
from go_binaries import module_files
from nodes import KUBERAY_NAMESPACE


def install_kuberay(tool: ContainerTool, kubectl: Path, kubeconfig: Path, base: str | None) -> None:
    """Bring KubeRay into the cluster and wait until it works. `base` says that its image is built here."""
    with step("KubeRay"):
        if base:
            load_controller(tool, "ray-operator", "kuberay", "quay.io/kuberay/operator")
        _apply([str(kubectl), "--kubeconfig", str(kubeconfig)])


def _apply(client: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="trainingrun-kuberay-") as folder:
        # kustomize takes no absolute path.
        module = os.path.relpath(module_files("ray-operator") / "config" / "default", folder)
        Path(folder, "namespace.yaml").write_text(
            f"{{apiVersion: v1, kind: Namespace, metadata: {{name: {KUBERAY_NAMESPACE}}}}}"
        )
        Path(folder, "kustomization.yaml").write_text(
            f"namespace: {KUBERAY_NAMESPACE}\nresources: [{module}, namespace.yaml]\n"
        )
        run([*client, "apply", "--server-side", "--kustomize", folder])
    ready = ["rollout", "status", "deployment/kuberay-operator", f"--namespace={KUBERAY_NAMESPACE}", "--timeout=180s"]
    run([*client, *ready])
