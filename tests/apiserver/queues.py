"""Kueue's queues for tests: one ClusterQueue for each namespace, of as many processors as the test says."""

from __future__ import annotations

from typing import Any

from raw_client import Object, RawClient

_API = "kueue.x-k8s.io/v1beta2"
_FLAVOR = "default"
# Only processors are scarce.
_PLENTY = {"memory": "10Ti", "nvidia.com/gpu": "1000"}


def open_queue(admin: RawClient, namespace: str, cpu: str, name: str = "ml") -> None:
    """Make a queue in a namespace, in which the more important preempts the less important."""
    admin.apply("resourceflavors", _body("ResourceFlavor", _FLAVOR))
    quotas = [{"name": resource, "nominalQuota": amount} for resource, amount in {"cpu": cpu, **_PLENTY}.items()]
    group = {"coveredResources": ["cpu", *_PLENTY], "flavors": [{"name": _FLAVOR, "resources": quotas}]}
    spec = {"namespaceSelector": {}, "resourceGroups": [group], "preemption": {"withinClusterQueue": "LowerPriority"}}
    admin.apply("clusterqueues", _body("ClusterQueue", namespace, spec=spec))
    admin.apply("localqueues", _body("LocalQueue", name, spec={"clusterQueue": namespace}), namespace)


def set_priority(admin: RawClient, name: str, value: int) -> None:
    """Make a class of priority for Kueue."""
    admin.apply("workloadpriorityclasses", _body("WorkloadPriorityClass", name, value=value))


def _body(kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, **fields}
