"""A control plane for one figure: etcd and the API server, our definitions and KubeRay's, and the operator's rights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from control_plane import ControlPlane
from go_binaries import binaries, kuberay_files
from kuberay_operator import definitions
from operator_process import NAMESPACE, OPERATOR, USER, grant

from bench.control_plane.client import PlainClient

__all__ = [
    "USER",
    "ControlPlane",
    "admin_client",
    "control_plane",
    "make_namespace",
    "operator_client",
    "operator_kubeconfig",
]

_MANIFESTS = Path(__file__).parents[2] / "manifests" / "base"


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """A plane whose files are in a new folder."""
    folder.mkdir()
    plane = ControlPlane(folder, binaries(("etcd", "kube-apiserver", "kube-controller-manager")))
    try:
        # No garbage collection and no quotas: their work is not the operator's.
        ours = sorted((_MANIFESTS / "crd").glob("*training*.yaml"))
        plane.start([*definitions(kuberay_files()), *ours], controllers=False)
        grant(plane, _MANIFESTS / "rbac")
        yield plane
    finally:
        plane.stop()


def admin_client(plane: ControlPlane) -> PlainClient:
    """A client that may do anything, at any rate."""
    token = yaml.safe_load(plane.kubeconfig("admin").read_text())["users"][0]["user"]["token"]
    return PlainClient(plane, token)


def operator_client(plane: ControlPlane) -> PlainClient:
    """A client with the operator's rights, and its place in the API server's queues."""
    return PlainClient(plane, plane.token_of(NAMESPACE, OPERATOR))


def operator_kubeconfig(plane: ControlPlane) -> Path:
    """A kubeconfig file with the operator's rights."""
    return plane.kubeconfig(OPERATOR, plane.token_of(NAMESPACE, OPERATOR))


def make_namespace(plane: ControlPlane, name: str) -> str:
    """A namespace in which pods can be created."""
    plane.admin.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    plane.admin.create("serviceaccounts", account, name)
    return name
