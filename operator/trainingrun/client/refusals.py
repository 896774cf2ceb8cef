"""What an error of the API server means to the user, in one sentence, and what to do next."""

from __future__ import annotations

import re

from trainingrun.client.problems import ClusterError
from trainingrun.contract.labels import GROUP, KIND
from trainingrun.kube import ApiError, Conflict, Forbidden, NotFound, Rejected, Transient, Unauthorized

# As the API server puts it: User "x" cannot list resource "pods" in API group "" in the namespace "y"
_ANONYMOUS = '"system:anonymous"'
_CANNOT = re.compile(r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)"')


def cluster_error(error: ApiError, server: str, namespace: str) -> ClusterError:
    """The sentence for an error that no command handles itself."""
    return ClusterError(_sentence(error, server, namespace))


def _sentence(error: ApiError, server: str, namespace: str) -> str:
    message = _words(error)
    if isinstance(error, Unauthorized):
        return _not_accepted(server)
    if isinstance(error, Transient):
        return _unreachable(error, server, message)
    if isinstance(error, Forbidden):
        return _forbidden(message, server, namespace)
    if isinstance(error, NotFound):
        return _unknown_kind(message)
    if isinstance(error, Conflict):
        return f"Someone else changed it in the meantime: {message}. Retry the command."
    return f"The API server does not accept it: {message}."


def _words(error: ApiError) -> str:
    """The server's message as the end or the middle of a sentence."""
    return " ".join(error.message.split()).removesuffix(".")


def _not_accepted(server: str) -> str:
    return f"{server} does not accept your credentials. Log in again, or choose another --context."


def _unreachable(error: Transient, server: str, message: str) -> str:
    if error.status == 0:
        return (
            f"The API server {server} cannot be reached ({message}). Check the network, or choose another --context "
            "(kubectl config get-contexts lists them)."
        )
    return f"The API server {server} is not available ({error.status}: {message}). Retry in a moment."


def _forbidden(message: str, server: str, namespace: str) -> str:
    if _ANONYMOUS in message:
        return _not_accepted(server)
    found = _CANNOT.search(message)
    if found is None:
        return f"The API server refuses it: {message}."
    verb, resource, group = found.groups()
    plural = f"{resource}.{group}" if group else resource
    return (
        f"You may not {verb} {plural} in namespace {namespace}. Ask the cluster's administrator for a role with the "
        f"verb {verb} on {plural}."
    )


def _unknown_kind(message: str) -> str:
    if '"' in message:
        return f"It does not exist: {message}."
    return (
        f"This cluster does not know {KIND} ({GROUP}). Install the operator first: "
        "kubectl apply --server-side -k manifests/overlays/default"
    )


def is_unknown_object(error: NotFound, name: str) -> bool:
    """Whether this object is missing, rather than its kind."""
    return f'"{name}" not found' in error.message


def refused_change(error: ApiError, name: str) -> ClusterError:
    """The API server did not accept a run as it was sent."""
    message = _words(error)
    if isinstance(error, Conflict):
        return ClusterError(
            f"{name}: other tools own fields that the file changes: {message}. Change them with that tool, or take "
            "them over with --force-conflicts."
        )
    if isinstance(error, Rejected) and "may not be changed" in message:
        return ClusterError(f"{message}. A run's spec cannot be changed: create a new TrainingRun (new name).")
    return ClusterError(f"{name}: the API server does not accept it: {message}.")
