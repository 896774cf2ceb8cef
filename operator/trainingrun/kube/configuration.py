"""Where the API server is and who we are, from a kubeconfig file or from the pod.

Nothing is read at import, and no configuration is kept in a global.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext, SSLError
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from trainingrun.kube.credentials import Credentials, ExecPlugin, Fixed, NoCredentials, TokenFile
from trainingrun.kube.kubeconfig import Context, NoCluster, read_context
from trainingrun.kube.tls import tls_context

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass
class Configuration:
    """The API server's address without a trailing slash, and all that a connection to it takes."""

    host: str = ""
    credentials: Credentials = field(default_factory=Fixed)
    tls: SSLContext | None = None
    # The name in the server's certificate, where it is not that of the address.
    tls_server_name: str | None = None
    proxy: str | None = None


async def load_configuration(kubeconfig: str | None = None, context: str | None = None) -> Configuration:
    """The configuration that the arguments, $KUBECONFIG, ~/.kube/config or the pod's service account give.

    Raises `NoCluster`.
    """
    try:
        if kubeconfig is None and context is None and _is_in_cluster():
            configuration = _of_this_pod()
            await configuration.credentials.header()
        else:
            configuration = await _of(read_context(kubeconfig, context))
    except NoCredentials as error:
        raise NoCluster(str(error)) from error
    except (OSError, SSLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoCluster(f"The cluster's address could not be read: {' '.join(str(error).split())}") from error
    # Once: a session that trusts the environment looks there, and for a password in ~/.netrc, at every request.
    configuration.proxy = configuration.proxy or _proxy_for(configuration.host)
    return configuration


def own_namespace() -> str | None:
    """The namespace of the pod that this process runs in, or None outside a cluster."""
    try:
        return (_SERVICE_ACCOUNT / "namespace").read_text().strip() or None
    except OSError:
        return None


def context_namespace(kubeconfig: str | None = None, context: str | None = None) -> str:
    """The default namespace of a command: that of the kubeconfig's context, or the pod's own."""
    if kubeconfig is None and context is None and _is_in_cluster():
        return own_namespace() or "default"
    return read_context(kubeconfig, context).namespace


def _of_this_pod() -> Configuration:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    address = f"[{host}]" if ":" in host else host
    tls = tls_context({"certificate-authority": str(_SERVICE_ACCOUNT / "ca.crt")}, {})
    return Configuration(f"https://{address}:{port}", TokenFile(_SERVICE_ACCOUNT / "token"), tls)


async def _of(context: Context) -> Configuration:
    cluster, user = context.cluster, context.user
    host = str(cluster["server"]).rstrip("/")
    credentials = _credentials(context)
    # Asked now, so that a login that fails is told before anything else; certificates are needed to connect.
    given = await credentials.status() if isinstance(credentials, ExecPlugin) else {}
    shown = given.get("clientCertificateData")
    certificate = (str(shown), str(given["clientKeyData"])) if shown else None
    tls = tls_context(cluster, user, certificate) if host.startswith("https") else None
    return Configuration(host, credentials, tls, cluster.get("tls-server-name"), cluster.get("proxy-url"))


def _credentials(context: Context) -> Credentials:
    user = context.user
    if user.get("exec"):
        return ExecPlugin(user["exec"], context.user_name, context.folder, context.cluster)
    if user.get("auth-provider"):
        return Fixed(f"Bearer {_provided_token(user['auth-provider'], context.user_name)}")
    # As kubectl has it: the file counts where both are given.
    if user.get("tokenFile"):
        return TokenFile(Path(user["tokenFile"]))
    if user.get("token"):
        return Fixed(f"Bearer {user['token']}")
    if user.get("username") and user.get("password"):
        pair = f"{user['username']}:{user['password']}".encode()
        return Fixed(f"Basic {base64.b64encode(pair).decode()}")
    return Fixed()


def _provided_token(provider: Mapping[str, Any], user: str) -> str:
    """The token that kubectl has left in an entry that only kubectl renews."""
    token = (provider.get("config") or {}).get("id-token")
    if not token:
        raise NoCredentials(
            f"The kubeconfig's user {user} has the auth-provider {provider.get('name')} and no id-token: log in with "
            "kubectl first, or use an exec plugin"
        )
    return str(token)


def _proxy_for(address: str) -> str | None:
    """The proxy that HTTPS_PROXY or HTTP_PROXY name for this address, unless NO_PROXY names its host."""
    scheme, host = urlsplit(address)[:2]
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _is_in_cluster() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
