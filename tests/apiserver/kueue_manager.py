"""The real Kueue as a process: all of its own manifests, with its webhooks and the certificates that it makes for them.

There is no network of pods and no kubelet: a Service of the type ExternalName leads the API server to the process, and
the certificates are put where they would be mounted. Its visibility API, which would need an aggregated API server, is
left out.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml
from child_process import ChildProcess, answer_of, free_port
from control_plane import ControlPlane
from go_binaries import module_files
from raw_client import Object

# What it takes to run it.
PROGRAMS = ("kueue", "kustomize")
# In namespaces with this label Kueue admits nothing, and lets be what names no queue; elsewhere it holds that back.
FREE = {"example.com/queues": "none"}
_NAMESPACE, _ACCOUNT = "kueue-system", "kueue-controller-manager"
_SERVICE, _SECRET = "kueue-webhook-service", "kueue-webhook-server-cert"
_WEBHOOKS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}
_PLURALS = {
    "Namespace": "namespaces",
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Secret": "secrets",
    "Service": "services",
    **_WEBHOOKS,
}


class KueueManager(ChildProcess):
    """Kueue, with its default settings but for addresses, and `manageJobsWithoutQueueName` but in FREE namespaces."""

    def __init__(self, plane: ControlPlane, programs: Mapping[str, Path]):
        self._plane = plane
        self._manifests = _manifests(programs["kustomize"])
        self._port = free_port()
        self._probe = f"127.0.0.1:{free_port()}"
        self._certificates = plane.folder / "kueue-certificates"
        self._installed: list[tuple[str, str]] = []
        configuration = plane.folder / "kueue.yaml"
        configuration.write_text(yaml.safe_dump(self._configuration()))
        kubeconfig = plane.folder / "kueue.kubeconfig"
        command = [
            str(programs["kueue"]),
            f"--config={configuration}",
            f"--kubeconfig={kubeconfig}",
            "--feature-gates=VisibilityOnDemand=false",
            "--zap-log-level=error",
        ]
        super().__init__("kueue", command, plane.folder)

    def install(self) -> None:
        """Apply its manifests, start it, and wait until its webhooks answer."""
        for body in self._manifests:
            self._apply(body)
        token = self._plane.token_of(_NAMESPACE, _ACCOUNT)
        self._plane.kubeconfig("kueue", token)
        self.start()
        self._mount_certificates()
        self.wait_until(lambda: answer_of(f"http://{self._probe}/readyz")[0] == 200)

    def uninstall(self) -> None:
        """Take its queues and its webhooks away, while it can still let go of what it holds, and end it."""
        admin = self._plane.admin
        self._plane.until_settled()
        for plural in ("clusterqueues", "resourceflavors"):
            for body in admin.list(plural):
                admin.delete(plural, body["metadata"]["name"])
            admin.until(lambda plural=plural: not admin.list(plural), f"all {plural} gone")
        for plural, name in self._installed:
            admin.delete(plural, name)
        self.end()

    def _apply(self, body: Object) -> None:
        kind, metadata = body["kind"], body["metadata"]
        for client in _clients(body):
            client["service"]["port"] = self._port
        if kind == "CustomResourceDefinition":
            self._plane.define(body)
        elif kind in _PLURALS:
            if metadata["name"] == _SERVICE:
                body["spec"] = {"type": "ExternalName", "externalName": "localhost"}
            self._plane.admin.apply(_PLURALS[kind], body, metadata.get("namespace"))
            if kind in _WEBHOOKS:
                self._installed.append((_WEBHOOKS[kind], metadata["name"]))

    def _mount_certificates(self) -> None:
        """What a kubelet does with the Secret that Kueue fills in."""
        admin = self._plane.admin
        data = admin.until(lambda: admin.get("secrets", _SECRET, _NAMESPACE).get("data"), "Kueue's certificates")
        self._certificates.mkdir(exist_ok=True)
        for name, value in data.items():
            (self._certificates / name).write_bytes(base64.b64decode(value))

    def _configuration(self) -> Object:
        (files,) = (body["data"] for body in self._manifests if body["kind"] == "ConfigMap")
        (text,) = files.values()
        return {
            **yaml.safe_load(text),
            "health": {"healthProbeBindAddress": self._probe},
            "metrics": {"bindAddress": "0"},
            "webhook": {"host": "127.0.0.1", "port": self._port, "certDir": str(self._certificates)},
            "leaderElection": {"leaderElect": False},
            "manageJobsWithoutQueueName": True,
            "managedJobsNamespaceSelector": {
                "matchExpressions": [
                    {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", _NAMESPACE]},
                    *({"key": key, "operator": "NotIn", "values": [value]} for key, value in FREE.items()),
                ]
            },
        }


def _manifests(kustomize: Path) -> list[Object]:
    folder = module_files("kueue") / "config" / "default"
    done = subprocess.run([kustomize, "build", folder], check=True, capture_output=True, text=True)
    return list(yaml.load_all(done.stdout, Loader=yaml.CSafeLoader))


def _clients(body: Object) -> list[Object]:
    """Where an object says that webhooks are served."""
    conversion = (body.get("spec") or {}).get("conversion") or {}
    found = [webhook["clientConfig"] for webhook in body.get("webhooks", ())]
    return [*found, *([conversion["webhook"]["clientConfig"]] if "webhook" in conversion else [])]
