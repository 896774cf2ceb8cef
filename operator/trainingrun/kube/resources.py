"""The kinds of objects that this project reads or writes, and where the API server keeps them.

A kind that is not here is not touched. No requests are made here.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from trainingrun.contract import labels


@dataclass(frozen=True)
class Resource:
    """One kind of objects. `group` is empty for the core kinds."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """What an object of this kind says in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The path of the version, where the API server lists its kinds."""
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of an object, of a namespace's collection, or of the collection of all namespaces."""
        parts: list[str] = []
        if namespace is not None and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [self.plural, *(part for part in (name, subresource) if part is not None)]
        return "/".join((self.root, *(quote(part, safe="") for part in parts)))


TRAINING_RUNS = Resource(labels.GROUP, labels.VERSION, labels.PLURAL, labels.KIND)
TRAINING_RUNTIMES = Resource(labels.GROUP, labels.VERSION, labels.RUNTIME_PLURAL, labels.RUNTIME_KIND)
CLUSTER_TRAINING_RUNTIMES = Resource(
    labels.GROUP, labels.VERSION, labels.CLUSTER_RUNTIME_PLURAL, labels.CLUSTER_RUNTIME_KIND, namespaced=False
)
RAY_JOBS = Resource("ray.io", "v1", "rayjobs", "RayJob")
RAY_CLUSTERS = Resource("ray.io", "v1", "rayclusters", "RayCluster")
WORKLOADS = Resource("kueue.x-k8s.io", "v1beta2", "workloads", "Workload")
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
EVENTS = Resource("", "v1", "events", "Event")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)

# What the operator watches, in the order in which it must be listed: a run's status names children that it has
# seen, so children that are listed later are never older than what the status says of them.
WATCHED = (TRAINING_RUNS, RAY_JOBS, RAY_CLUSTERS, PODS)
# Watched beside these: only runs that name one wait for it, whatever keeps the operator from seeing it.
RUNTIMES = (TRAINING_RUNTIMES, CLUSTER_TRAINING_RUNTIMES)
