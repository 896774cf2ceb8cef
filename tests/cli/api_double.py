"""An API server in this process: enough of one for the command line, with faults where a test wants them.

It keeps objects by path, answers as the real one does, and notes every request. Tests against the real one are in
tests/apiserver.
"""

from __future__ import annotations

import copy
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pod_exec import PodExec

Object = dict[str, Any]
RUNS = "/apis/trainingrun.dev/v1beta1"
KINDS = {
    "trainingruns": (RUNS, "TrainingRun"),
    "trainingruntimes": (RUNS, "TrainingRuntime"),
    "clustertrainingruntimes": (RUNS, "ClusterTrainingRuntime"),
    "rayjobs": ("/apis/ray.io/v1", "RayJob"),
    "rayclusters": ("/apis/ray.io/v1", "RayCluster"),
    "pods": ("/api/v1", "Pod"),
    "secrets": ("/api/v1", "Secret"),
    "persistentvolumeclaims": ("/api/v1", "PersistentVolumeClaim"),
    "events": ("/api/v1", "Event"),
    "nodes": ("/api/v1", "Node"),
    "deployments": ("/apis/apps/v1", "Deployment"),
    "storageclasses": ("/apis/storage.k8s.io/v1", "StorageClass"),
    "localqueues": ("/apis/kueue.x-k8s.io/v1beta2", "LocalQueue"),
    "configmaps": ("/api/v1", "ConfigMap"),
}
_OF_THE_CLUSTER = ("clustertrainingruntimes", "nodes", "storageclasses")


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """An answer in place of the right one, for `times` requests of this method to paths that hold `part`."""

    method: str
    part: str
    status: int
    body: Any
    times: int = 1_000_000


@dataclass
class ApiDouble:
    """The server. Set `objects`, `logs`, `faults` and `watches` before a command runs."""

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    # What each watch tells, in turn: (type, object) pairs, after which its connection ends.
    watches: list[list[tuple[str, Object]]] = field(default_factory=list)
    # What a pod's log holds, and what is done once it has been sent.
    logs: dict[str, list[str]] = field(default_factory=dict)
    # Ray's dashboards behind the service proxy: (status, content) for a path.
    dashboard: Callable[[Request], tuple[int, str]] = lambda request: (503, "no endpoints available")
    # Called before each answer; a test changes objects here as time goes on.
    before: Callable[[Request], None] = lambda request: None
    # What the user may not do: (verb, resource) pairs.
    denied: set[tuple[str, str]] = field(default_factory=set)
    # The status of an object that is created.
    started: Callable[[Object], Object] = lambda body: {"phase": "Running"}
    # Who answers exec requests, once there is one.
    pod_exec: PodExec | None = None
    version: int = 100

    def start(self) -> str:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.double = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(self, plural: str, body: Object) -> Object:
        """Store the object, as newer than all before it."""
        self.version += 1
        body = copy.deepcopy(body)
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects[plural, body["metadata"].get("namespace", ""), body["metadata"]["name"]] = body
        return body

    def remove(self, plural: str, namespace: str, name: str) -> None:
        del self.objects[plural, namespace, name]

    def named(self, method: str, part: str = "") -> list[Request]:
        """The requests of this method to paths that hold `part`."""
        return [request for request in self.requests if request.method == method and part in request.path]

    def answer(self, request: Request) -> tuple[int, Any]:
        self.requests.append(request)
        self.before(request)
        for fault in self.faults:
            if fault.times and fault.method == request.method and fault.part in request.path:
                fault.times -= 1
                return fault.status, fault.body
        if request.method == "POST" and _place(request.path):
            return 201, self._create(request)
        if "/services/" in request.path:
            return self.dashboard(request)
        if request.path.endswith("/selfsubjectaccessreviews"):
            wanted = request.body["spec"]["resourceAttributes"]
            part = f"/{wanted['subresource']}" if wanted["subresource"] else ""
            return 201, {"status": {"allowed": (wanted["verb"], wanted["resource"] + part) not in self.denied}}
        if kinds := _kinds_at(request.path):
            return 200, {"kind": "APIResourceList", "resources": kinds}
        found = _place(request.path)
        if found is None:
            return 404, "404 page not found"
        return self._object(request, *found)

    def _object(self, request: Request, plural: str, namespace: str, name: str, part: str) -> tuple[int, Any]:
        if part == "log":
            return 200, "".join(f"{line}\n" for line in self._log(name, request.query))
        if not name:
            return 200, self._list(plural, namespace, request.query)
        stored = self.objects.get((plural, namespace, name))
        if stored is None and not (request.method == "PATCH" and "apply" in request.headers["Content-Type"]):
            return 404, status(404, "NotFound", f'{_resource(plural)} "{name}" not found')
        match request.method:
            case "PATCH":
                return 200, self._patch(request, plural, namespace, name, stored)
            case "DELETE":
                self.remove(plural, namespace, name)
                return 200, status(200, "", "")
        return 200, stored

    def _patch(self, request: Request, plural: str, namespace: str, name: str, stored: Object | None) -> Object:
        metadata = {"uid": f"uid-of-{name}", "generation": 1, "creationTimestamp": "2026-09-01T10:00:00Z"}
        merged = _merged(stored or {"metadata": metadata}, request.body)
        return merged if request.query.get("dryRun") else self.put(plural, merged)

    def _create(self, request: Request) -> Object:
        found = _place(request.path)
        assert found is not None
        plural, namespace, *_ = found
        body = copy.deepcopy(request.body)
        body["metadata"] |= {"namespace": namespace, "uid": f"uid-of-{body['metadata']['name']}"}
        return self.put(plural, {**body, "status": self.started(body)})

    def _list(self, plural: str, namespace: str, query: dict[str, str]) -> Object:
        parts = [part for part in query.get("labelSelector", "").split(",") if part]
        wanted, present = dict(part.split("=") for part in parts if "=" in part), {p for p in parts if "=" not in p}
        items = [
            body
            for (kind, where, _), body in self.objects.items()
            if kind == plural
            and where == (namespace or where)
            and wanted.items() <= body["metadata"].get("labels", {}).items()
            and present <= body["metadata"].get("labels", {}).keys()
        ]
        return {"kind": "List", "items": items, "metadata": {"resourceVersion": str(self.version)}}

    def _log(self, pod: str, query: dict[str, str]) -> list[str]:
        lines = self.logs.get(pod, [])
        tail = int(query.get("tailLines", len(lines)))
        return lines[len(lines) - min(tail, len(lines)) :]

    def events(self) -> Iterator[tuple[str, Object]]:
        yield from self.watches.pop(0) if self.watches else ()


def status(code: int, reason: str, message: str) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}


def forbidden(verb: str, plural: str) -> Object:
    group = KINDS.get(plural, ("",))[0].split("/")[2] if KINDS.get(plural, ("",))[0].startswith("/apis") else ""
    words = f'User "ann" cannot {verb} resource "{plural}" in API group "{group}" in the namespace "training"'
    return status(403, "Forbidden", f"{_resource(plural)} is forbidden: {words}")


def _resource(plural: str) -> str:
    return "trainingruns.trainingrun.dev" if plural == "trainingruns" else plural


def _kinds_at(path: str) -> list[Object]:
    """What is kept under this very path."""
    return [
        {"name": plural, "kind": kind, "namespaced": plural not in _OF_THE_CLUSTER}
        for plural, (prefix, kind) in KINDS.items()
        if prefix == path
    ]


def _place(path: str) -> tuple[str, str, str, str] | None:
    """(plural, namespace, name, subresource) of a path."""
    for plural, (prefix, _) in KINDS.items():
        rest = path.removeprefix(prefix).strip("/").split("/")
        if not path.startswith(prefix) or plural not in rest:
            continue
        at = rest.index(plural)
        namespace = rest[1] if rest[0] == "namespaces" else ""
        name, part = (*rest[at + 1 :], "", "")[:2]
        return plural, namespace, name, part
    return None


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return copy.deepcopy(new)
    return {key: _merged(old[key], new[key]) if key in old and key in new else (new if key in new else old)[key]
            for key in [*old, *(key for key in new if key not in old)]}  # fmt: skip


class _Server(ThreadingHTTPServer):
    """A client that is gone before its answer is not worth words among those that a test reads."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.0: an answer ends with its connection, so that a watch needs no framing."""

    def do_GET(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        double: ApiDouble = self.server.double  # type: ignore[attr-defined]
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        request = Request(self.command, unquote(address.path), query, dict(self.headers.items()), body)
        if request.path.endswith("/exec") and self._exec(double, request, parse_qs(address.query)["command"]):
            return
        code, answer = double.answer(request)
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(answer, str) else "application/json")
        self.end_headers()
        if code == 200 and query.get("watch"):
            for kind, changed in double.events():
                self.wfile.write(json.dumps({"type": kind, "object": changed}).encode() + b"\n")
                self.wfile.flush()
        else:
            self.wfile.write((answer if isinstance(answer, str) else json.dumps(answer)).encode())

    def _exec(self, double: ApiDouble, request: Request, command: list[str]) -> bool:
        """Whether the request was one for a pod that exists, and nothing is wrong with it."""
        pod = double.objects.get(("pods", *request.path.split("/")[4:7:2]))
        is_wrong = any(fault.times and fault.method == "GET" and fault.part in request.path for fault in double.faults)
        if pod is None or double.pod_exec is None or is_wrong:
            return False
        double.requests.append(request)
        variables = pod["spec"]["containers"][0]["env"]
        double.pod_exec.serve(self, command, {variable["name"]: variable["value"] for variable in variables})
        self.close_connection = True
        return True

    def log_message(self, *arguments: object) -> None:
        """Tests read the requests instead."""
