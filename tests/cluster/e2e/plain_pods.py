"""Pods that belong to no run, from the training image, as strict as the namespaces of scenarios want them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from namespaces import Namespace
from project_images import TRAINER

Object = dict[str, Any]


def start_pod(
    namespace: Namespace,
    name: str,
    command: Sequence[str],
    *,
    labels: Mapping[str, str],
    volume: Object,
    path: str,
    variables: Mapping[str, str] | None = None,
    port: int | None = None,
) -> None:
    """Start a pod with a volume at `path`, on the node for data, and wait until it is ready: until it has its port."""
    container: Object = {
        "name": name,
        "image": TRAINER,
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in (variables or {}).items()],
        "resources": {"limits": {"cpu": 2, "memory": "2Gi"}, "requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "volume", "mountPath": path}],
    }
    if port is not None:
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    spec = {
        "automountServiceAccountToken": False,
        "nodeSelector": {"trainingrun.dev/nodes": "data"},
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "volume", **volume}],
    }
    metadata = {"name": name, "namespace": namespace.name, "labels": dict(labels)}
    namespace.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    namespace.cluster.run(
        "wait", "--for=condition=Ready", f"pod/{name}", f"--namespace={namespace.name}", "--timeout=180s"
    )
