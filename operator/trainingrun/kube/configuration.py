"""Where the API server is and who we are, as `kubernetes.aio` reads it from a kubeconfig file or from the pod.

Nothing is read at import, and no configuration is kept in a global.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import KubeConfigLoader, KubeConfigMerger

_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_DEFAULT_KUBECONFIG = "~/.kube/config"


class NoCluster(Exception):
    """It is not known which API server to talk to, or how. The message is a sentence for the user."""


async def load_configuration(kubeconfig: str | None = None, context: str | None = None) -> Configuration:
    """The configuration that the arguments, $KUBECONFIG, ~/.kube/config or the pod's service account give."""
    configuration = Configuration()
    # Bodies and timeouts are ours to choose; a hidden retry would hide them.
    configuration.retries = None
    # Each watch holds a connection, and there are four for each namespace that is served by itself.
    configuration.connection_pool_maxsize = 0
    with _as_no_cluster():
        if kubeconfig is None and context is None and _is_in_cluster():
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            loader = _loader(kubeconfig, context)
            await loader.load_and_set(configuration)
            if hasattr(loader, "exec_plugin_expiry") or loader.provider:
                configuration.refresh_api_key_hook = loader.load_and_set
    # Once: a session that trusts the environment looks there, and for a password in ~/.netrc, at every request.
    configuration.client_session_kwargs = {"trust_env": False}
    configuration.proxy = configuration.proxy or _proxy_for(str(configuration.host))
    return configuration


def own_namespace() -> str | None:
    """The namespace of the pod that this process runs in, or None outside a cluster."""
    try:
        return _NAMESPACE_FILE.read_text().strip() or None
    except OSError:
        return None


def context_namespace(kubeconfig: str | None = None, context: str | None = None) -> str:
    """The default namespace of a command: that of the kubeconfig's context, or the pod's own."""
    if kubeconfig is None and context is None and _is_in_cluster():
        return own_namespace() or "default"
    with _as_no_cluster():
        return str(_loader(kubeconfig, context).current_context["context"].get("namespace") or "default")


def _proxy_for(address: str) -> str | None:
    """The proxy that HTTPS_PROXY or HTTP_PROXY name for this address, unless NO_PROXY names its host."""
    scheme, host = urlsplit(address)[:2]
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _loader(kubeconfig: str | None, context: str | None) -> Any:
    # The client's own functions take $KUBECONFIG as it was when they were imported.
    paths = kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT_KUBECONFIG
    if not any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path):
        raise NoCluster(f"There is no kubeconfig at {paths}")
    merged = KubeConfigMerger(paths).config  # type: ignore[no-untyped-call]
    names = [entry["name"] for entry in merged.value.get("contexts") or ()]
    if context is not None and context not in names:
        raise NoCluster(f"{paths} has no context {context}; it has {', '.join(names) or 'none'}")
    # Paths in it, of certificates for example, are relative to the file that names them.
    loader = KubeConfigLoader(merged, active_context=context, config_base_path=None)  # type: ignore[no-untyped-call]
    _check_login(merged.value.get("users") or (), loader.current_context["context"].get("user"))
    return loader


def _check_login(users: Iterable[Any], name: str | None) -> None:
    """Raises NoCluster where the user logs in by a program that is not here: the client only logs that, and goes on."""
    # In each file's users, the client keeps what a name stands for as a node of its own.
    found = next((entry["user"].value for entry in users if entry["name"] == name), None) or {}
    login: dict[str, Any] = found.get("exec") or {}
    command = login.get("command")
    if command and shutil.which(command) is None:
        hint = " ".join(str(login.get("installHint") or f"install {command}").split()).rstrip(".")
        raise NoCluster(f"The kubeconfig's user {name} needs the program {command}, which is not installed: {hint}.")


@contextmanager
def _as_no_cluster() -> Iterator[None]:
    try:
        yield
    except (ConfigException, OSError, ValueError) as error:
        raise NoCluster(f"The cluster's address could not be read: {error}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        # The client reads whatever the file holds without checking its form.
        raise NoCluster(f"The kubeconfig is damaged: {' '.join(str(error).split())}") from error


def _is_in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
