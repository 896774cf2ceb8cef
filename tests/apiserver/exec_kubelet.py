"""A kubelet that the real API server passes exec requests on to: an HTTPS server, and commands as processes here."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from certificates import Certificates
from raw_client import Object, RawClient

from pod_exec import PodExec


class ExecKubelet:
    """Serves `claim`, a folder, to pods on nodes of `register`."""

    def __init__(self, admin: RawClient, certificates: Certificates, claim: Path):
        self._admin = admin
        self.exec = PodExec(claim)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.kubelet = self  # type: ignore[attr-defined]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.serving_certificate, certificates.serving_key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self._nodes: list[str] = []

    def register(self, node: str) -> None:
        """Make a node of this name whose kubelet this is."""
        self._nodes.append(node)
        self._admin.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}})
        endpoint = {"kubeletEndpoint": {"Port": self._server.server_port}}
        addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
        self._admin.patch(
            "nodes", node, {"status": {"addresses": addresses, "daemonEndpoints": endpoint}}, part="status"
        )

    def stop(self) -> None:
        for node in self._nodes:
            self._admin.delete("nodes", node)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        _, kind, namespace, pod, container = address.path.split("/")
        assert kind == "exec"
        found: Object = self._admin.get("pods", pod, namespace)
        (spec,) = [each for each in found["spec"]["containers"] if each["name"] == container]
        variables = {variable["name"]: variable["value"] for variable in spec["env"]}
        self.exec.serve(handler, parse_qs(address.query)["command"], variables)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.kubelet.serve(self)  # type: ignore[attr-defined]
        self.close_connection = True

    def log_message(self, *arguments: object) -> None:
        """Tests look at what has come."""
