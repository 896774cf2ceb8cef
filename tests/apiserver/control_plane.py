"""A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager as child processes.

Everything that a fake gets wrong is real here: admission, server-side apply, CEL, RBAC, quotas, tokens, the audit
log and garbage collection. There is no kubelet and no scheduler: kubelet_double.py plays both.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from certificates import Certificates
from child_process import ChildProcess, free_port
from raw_client import AWAY, Object, RawClient, Refused, path_of

# Those that a namespace with custom resources and pods needs; the others would only cost time.
_CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "resourcequota-controller",
)
# Users that come with the plane. All but `nobody` may do anything: what they may do is not what is tested.
_MASTERS = ("admin", "kubelet-double", "system:kube-controller-manager")
_USERS = (*_MASTERS, "kuberay", "nobody")
# Who did what with which result, without bodies. Reads of the plane's own programs only fill the log.
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:nodes", "system:apiserver"]},
        {"level": "None", "users": ["system:apiserver", "system:kube-controller-manager", "system:anonymous"]},
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "Metadata"},
    ],
}


class ControlPlane:
    """Starts and stops the plane in a folder. `url`, `certificates.ca` and a user's token reach it."""

    def __init__(self, folder: Path, programs: Mapping[str, Path]):
        self.folder = folder
        self.certificates = Certificates(folder / "certificates")
        self.audit_log = folder / "audit.log"
        self._port, self._etcd_port, self._controllers_port = free_port(), free_port(), free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self._tokens = {user: secrets.token_urlsafe(24) for user in _USERS}
        self._etcd = ChildProcess("etcd", [str(programs["etcd"]), *self._etcd_flags()], folder)
        self.api_server = ChildProcess(
            "kube-apiserver", [str(programs["kube-apiserver"]), *self._api_server_flags()], folder
        )
        self._controllers = ChildProcess(
            "kube-controller-manager", [str(programs["kube-controller-manager"]), *self._controllers_flags()], folder
        )
        self.processes = (self._etcd, self.api_server, self._controllers)
        # What each step of the start took, in seconds.
        self.seconds: dict[str, float] = {}

    def start(self, definitions: Iterable[Path] = (), *, controllers: bool = True) -> None:
        """Start everything. The garbage collector looks for new kinds only every 30 s: these are there before it."""
        began = time.monotonic()
        self._etcd.start()
        self.start_api_server()
        self.seconds["API server ready"] = time.monotonic() - began
        for file in definitions:
            self.install(file)
        self.seconds["definitions served"] = time.monotonic() - began
        if controllers:
            self._controllers.start()
            self._controllers.wait_until(lambda: self._answers(self._controllers_port, "/healthz"))
            self.admin.until(lambda: self.admin.find("serviceaccounts", "default", "default"), "controllers at work")
            self.seconds["controllers at work"] = time.monotonic() - began

    def stop(self) -> None:
        """End what was started; etcd last, or the others complain. Only logs are left."""
        for process in reversed(self.processes):
            process.kill()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def start_api_server(self) -> None:
        """Start the API server, at first or again, and wait until it is ready."""
        self.api_server.start()
        self.api_server.wait_until(lambda: self._answers(self._port, "/readyz"))

    def restart_api_server(self) -> None:
        """End it as a crash would, and start it again. `until_settled` first."""
        self.api_server.kill()
        self.start_api_server()

    def until_settled(self) -> None:
        """Wait until no namespace is being deleted.

        The namespace controller takes an API server that does not serve its custom resources yet for one that has
        none, and leaves behind those of a namespace that it is deleting.
        """
        self.admin.until(lambda: not self._ending(), "all deleted namespaces gone")

    def _ending(self) -> list[Object]:
        return [each for each in self.admin.list("namespaces") if "deletionTimestamp" in each["metadata"]]

    @property
    def admin(self) -> RawClient:
        return self.client("admin")

    def client(self, user: str) -> RawClient:
        """A client for one of the users that come with the plane."""
        return self._client(self._port, user)

    def client_with(self, token: str) -> RawClient:
        return RawClient("127.0.0.1", self._port, self.certificates.ca, token)

    def token_of(self, namespace: str, account: str, audiences: Iterable[str] = (), pod: Object | None = None) -> str:
        """A token of a service account, by a TokenRequest; bound to a pod, as a projected one is, if there is one."""
        spec: Object = {"expirationSeconds": 7200, "audiences": list(audiences)}
        if pod is not None:
            metadata = pod["metadata"]
            bound = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
            spec["boundObjectRef"] = bound
        path = path_of("serviceaccounts", account, namespace, "token")
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        return str(self.admin.request("POST", path, body)["status"]["token"])

    def kubeconfig(self, user: str, token: str | None = None) -> Path:
        """A kubeconfig file for one of the plane's users, or for whom this token is."""
        file = self.folder / f"{user.replace(':', '-').replace('/', '-')}.kubeconfig"
        file.write_text(yaml.safe_dump(self._kubeconfig(token or self._tokens[user])))
        file.chmod(0o600)
        return file

    def install(self, file: Path) -> None:
        """Apply the CustomResourceDefinition of a file and wait until its objects are served."""
        self.define(yaml.load(file.read_text(), Loader=yaml.CSafeLoader))

    def define(self, definition: Object) -> None:
        """Apply a CustomResourceDefinition and wait until its objects are served."""
        self.admin.apply("customresourcedefinitions", definition)
        spec = definition["spec"]
        path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
        self.admin.until(lambda: self._answers(self._port, path), f"{path} is served")

    def _answers(self, port: int, path: str) -> bool:
        try:
            self._client(port, "admin").request("GET", path)
        except (*AWAY, Refused):
            return False
        return True

    def _client(self, port: int, user: str) -> RawClient:
        return RawClient("127.0.0.1", port, self.certificates.ca, self._tokens[user])

    def _kubeconfig(self, token: str) -> dict[str, Any]:
        cluster = {"server": self.url, "certificate-authority": str(self.certificates.ca)}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": cluster}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "user"}}],
            "current-context": "plane",
        }

    def _etcd_flags(self) -> list[str]:
        client = f"http://127.0.0.1:{self._etcd_port}"
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # A test's data need not survive the machine.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server_flags(self) -> list[str]:
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(yaml.safe_dump(_AUDIT_POLICY))
        tokens = self.folder / "tokens.csv"
        rows = [f'{self._tokens[user]},{user},{user},"{_group(user)}"' for user in _USERS]
        tokens.write_text("\n".join(rows) + "\n")
        tokens.chmod(0o600)
        certificates = self.certificates
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={certificates.serving_certificate}",
            f"--tls-private-key-file={certificates.serving_key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={certificates.token_public_key}",
            f"--service-account-signing-key-file={certificates.token_key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            # The service `kubernetes` would need an address that is not loopback.
            "--endpoint-reconciler-type=none",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
        ]

    def _controllers_flags(self) -> list[str]:
        certificates = self.certificates
        return [
            f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            f"--controllers={','.join(_CONTROLLERS)}",
            f"--service-account-private-key-file={certificates.token_key}",
            f"--root-ca-file={certificates.ca}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._controllers_port}",
            f"--tls-cert-file={certificates.serving_certificate}",
            f"--tls-private-key-file={certificates.serving_key}",
            "--leader-elect=false",
            # Deleting a hundred runs is limited by this client otherwise, not by what is tested.
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]


def _group(user: str) -> str:
    return "system:masters" if user in _MASTERS else "testers"
