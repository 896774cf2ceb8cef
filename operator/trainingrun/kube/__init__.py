"""The only way to the API server: requests as raw JSON, typed errors, credentials from `kubernetes.aio`.

Used by the operator's engine and by the command line. It must know nothing of runs and attempts.
"""

from trainingrun.kube.answers import Body, Page
from trainingrun.kube.api import Api
from trainingrun.kube.channels import Channel
from trainingrun.kube.configuration import NoCluster, context_namespace, load_configuration, own_namespace
from trainingrun.kube.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    NotFound,
    Rejected,
    Transient,
    Unauthorized,
)
from trainingrun.kube.resources import Resource
from trainingrun.kube.transport import KubernetesTransport

__all__ = [
    "AlreadyExists",
    "Api",
    "ApiError",
    "Body",
    "Channel",
    "Conflict",
    "Expired",
    "Forbidden",
    "KubernetesTransport",
    "NoCluster",
    "NotFound",
    "Page",
    "Rejected",
    "Resource",
    "Transient",
    "Unauthorized",
    "context_namespace",
    "load_configuration",
    "own_namespace",
]
