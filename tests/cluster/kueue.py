"""Kueue in the cluster, for the tests that need it: its published image where there is a registry, else one of its
Go module. Its manifests are the module's own, as its maintainers release them.

    python tests/cluster/kueue.py install     # into the cluster that kind_cluster.py has made
    python tests/cluster/kueue.py remove      # with its queues; its webhooks would hold up what others test

`make cluster` leaves it out: whatever its webhooks cover waits for it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from base_image import PROGRAMS
from cluster_folder import FOLDER, KUBECONFIG, KUBECTL
from container_tool import find_tool, run, step
from controller_image import load_controller
from go_binaries import module_files, version_of
from kind_cluster import act, registry_answers

_NAMESPACE = "kueue-system"
_DEPLOYMENT = "kueue-controller-manager"
_IMAGE = "registry.k8s.io/kueue/kueue"
# What the module's manifests name: what its developers have built last.
_UNRELEASED = "us-central1-docker.pkg.dev/k8s-staging-images/kueue/kueue"
# An image that nobody can pull must not be asked for again.
_PRESENT = [
    {"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "IfNotPresent"},
]
# The server of places in a queue, which nothing here asks, answers discovery with 404. As long as it does, the API
# server deletes no namespace.
_NO_VISIBILITY = {
    "$patch": "delete",
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": "any"},
}
_QUEUES = "clusterqueues,resourceflavors,workloadpriorityclasses"


def install() -> None:
    """Bring Kueue into the cluster and wait until its webhooks work."""
    with step("Kueue"):
        if not registry_answers():
            load_controller(find_tool(FOLDER, also=PROGRAMS), "kueue", "kueue", _IMAGE)
        with _manifests() as folder:
            _kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", folder)
        ready = ["rollout", "status", f"deployment/{_DEPLOYMENT}", f"--namespace={_NAMESPACE}", "--timeout=180s"]
        _kubectl(*ready)


def remove() -> None:
    """Remove its queues, while it can still let go of them, and then itself."""
    with step("Kueue removed"):
        _kubectl("delete", _QUEUES, "--all", "--timeout=60s")
        with _manifests() as folder:
            _kubectl("delete", "--ignore-not-found", "--timeout=120s", "--kustomize", folder)


@contextmanager
def _manifests() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="trainingrun-kueue-") as folder:
        # kustomize takes no absolute path.
        module = os.path.relpath(module_files("kueue") / "config" / "default", folder)
        customized = {
            "resources": [module],
            "images": [{"name": _UNRELEASED, "newName": _IMAGE, "newTag": version_of("kueue")}],
            "patches": [
                {"target": {"kind": "Deployment", "name": _DEPLOYMENT}, "patch": yaml.safe_dump(_PRESENT)},
                {"target": {"kind": "APIService"}, "patch": yaml.safe_dump(_NO_VISIBILITY)},
            ],
        }
        Path(folder, "kustomization.yaml").write_text(yaml.safe_dump(customized))
        yield folder


def _kubectl(*arguments: str) -> None:
    run([str(KUBECTL), "--kubeconfig", str(KUBECONFIG), *arguments])


if __name__ == "__main__":
    sys.exit(act({"install": install, "remove": remove}))
