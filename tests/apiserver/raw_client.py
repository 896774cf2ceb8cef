"""A synchronous client of the API server for tests: JSON in, JSON out, and every refusal an exception.

It is deliberately not the operator's own client: a test that used that would share its mistakes.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

Object = dict[str, Any]

# Where each kind of object that the tests use is served.
_PREFIXES = {
    "api/v1": "namespaces pods services secrets configmaps events serviceaccounts resourcequotas limitranges nodes",
    "apis/ray.io/v1": "rayjobs rayclusters",
    "apis/trainingrun.dev/v1beta1": "trainingruns trainingruntimes clustertrainingruntimes",
    "apis/rbac.authorization.k8s.io/v1": "clusterroles clusterrolebindings roles rolebindings",
    "apis/apiextensions.k8s.io/v1": "customresourcedefinitions",
    "apis/coordination.k8s.io/v1": "leases",
    "apis/authentication.k8s.io/v1": "tokenreviews",
    "apis/admissionregistration.k8s.io/v1": (
        "validatingadmissionpolicies validatingadmissionpolicybindings "
        "mutatingwebhookconfigurations validatingwebhookconfigurations"
    ),
    "apis/scheduling.k8s.io/v1": "priorityclasses",
    "apis/node.k8s.io/v1": "runtimeclasses",
    "apis/kueue.x-k8s.io/v1beta2": "clusterqueues localqueues resourceflavors workloadpriorityclasses workloads",
}
_PREFIX_OF = {plural: prefix for prefix, plurals in _PREFIXES.items() for plural in plurals.split()}
_MERGE_PATCH = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"
# What is raised when the server ends or is not there.
AWAY = (OSError, http.client.HTTPException)
# "Come again", as from a server that has just been started and still reads its custom resources. Every client of
# Kubernetes does come again.
_BUSY, _BUSY_SECONDS = 429, 30.0


class Refused(Exception):
    """The API server's answer was an error: its code, its reason, and its message."""

    def __init__(self, code: int, reason: str, message: str):
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message


class RawClient:
    """Speaks as one user. May be used by several threads; each has a connection of its own."""

    def __init__(self, host: str, port: int, ca: Path, token: str):
        self._address = (host, port)
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._token = token
        self._of_thread = threading.local()

    def get(self, plural: str, name: str, namespace: str | None = None) -> Object:
        return self.request("GET", path_of(plural, name, namespace))

    def find(self, plural: str, name: str, namespace: str | None = None) -> Object | None:
        """The object, or None when there is none."""
        try:
            return self.get(plural, name, namespace)
        except Refused as refusal:
            if refusal.code != 404:
                raise
            return None

    def list(self, plural: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        return self.list_at(plural, namespace, selector)[0]

    def list_at(self, plural: str, namespace: str | None = None, selector: str = "") -> tuple[list[Object], str]:
        """The objects, and the resource version of the list."""
        answer = self.request("GET", path_of(plural, None, namespace), labelSelector=selector)
        return answer["items"], answer["metadata"]["resourceVersion"]

    def pages(self, plural: str, namespace: str | None = None, limit: int = 100) -> Iterator[list[Object]]:
        """The objects, as many at a time as there is memory for."""
        more = ""
        while True:
            answer = self.request("GET", path_of(plural, None, namespace), limit=str(limit), **{"continue": more})
            yield answer["items"]
            more = answer["metadata"].get("continue", "")
            if not more:
                return

    def create(self, plural: str, body: Object, namespace: str | None = None) -> Object:
        return self.request("POST", path_of(plural, None, namespace), body)

    def apply(self, plural: str, body: Object, namespace: str | None = None, manager: str = "test") -> Object:
        """Server-side apply, as `kubectl apply --server-side --force-conflicts` does it."""
        path = path_of(plural, body["metadata"]["name"], namespace)
        return self.request("PATCH", path, body, _APPLY, fieldManager=manager, force="true")

    def patch(self, plural: str, name: str, body: Object, namespace: str | None = None, part: str = "") -> Object:
        """Merge patch; `part` is a subresource such as status."""
        return self.request("PATCH", path_of(plural, name, namespace, part), body, _MERGE_PATCH)

    def delete(self, plural: str, name: str, namespace: str | None = None, grace: int | None = None) -> Object:
        body: Object = {"propagationPolicy": "Background"}
        if grace is not None:
            body["gracePeriodSeconds"] = grace
        return self.request("DELETE", path_of(plural, name, namespace), body)

    def watch(
        self, plural: str, version: str, namespace: str | None = None, seconds: int = 300
    ) -> Iterator[tuple[str, Object]]:
        """(type, object) of each change after this resource version, until the server ends the watch."""
        connection = self._connect(timeout=seconds + 10)
        query = urlencode({"watch": "true", "resourceVersion": version, "timeoutSeconds": seconds})
        try:
            connection.request("GET", f"{path_of(plural, None, namespace)}?{query}", headers=self._headers())
            response = connection.getresponse()
            if response.status != 200:
                raise _refusal(response.status, response.read())
            while line := response.readline():
                event = json.loads(line)
                yield event["type"], event["object"]
        finally:
            connection.close()

    def until(self, read: Callable[[], Any], what: str, seconds: float = 120) -> Any:
        """Poll `read` until it gives something true, which is returned."""
        deadline = time.monotonic() + seconds
        while not (found := read()):
            assert time.monotonic() < deadline, f"{what}: not seen in {seconds:.0f} s"
            time.sleep(0.05)
        return found

    def request(
        self, method: str, path: str, body: Object | None = None, content: str = "application/json", **query: str
    ) -> Object:
        """Any request; `path` begins with a slash."""
        given = {name: value for name, value in query.items() if value}
        target = f"{path}?{urlencode(given)}" if given else path
        payload = json.dumps(body) if body is not None else None
        status, answer = self.send_text(method, target, payload, content)
        deadline = time.monotonic() + _BUSY_SECONDS
        while status == _BUSY and time.monotonic() < deadline:
            time.sleep(0.2)
            status, answer = self.send_text(method, target, payload, content)
        if status >= 400:
            raise _refusal(status, answer)
        try:
            return json.loads(answer)
        except ValueError:
            return {"text": answer.decode(errors="replace")}

    def send_text(
        self, method: str, target: str, payload: str | None, content: str = "application/json"
    ) -> tuple[int, bytes]:
        """Any body, JSON or not: the status and the answer, which is not judged."""
        return self._send(method, target, payload, {**self._headers(), "Content-Type": content})

    def _send(self, method: str, target: str, payload: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = getattr(self._of_thread, "connection", None)
        if connection is not None:
            try:
                return _answer(connection, method, target, payload, headers)
            except AWAY:
                # The server may close an idle connection at any time, and does so when it is restarted.
                connection.close()
        self._of_thread.connection = connection = self._connect(timeout=60)
        return _answer(connection, method, target, payload, headers)

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._address, timeout=timeout, context=self._tls)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}


def path_of(plural: str, name: str | None = None, namespace: str | None = None, part: str = "") -> str:
    """The path of a kind of object, of one object, or of a subresource."""
    parts = [_PREFIX_OF[plural]]
    if namespace is not None:
        parts += ["namespaces", quote(namespace)]
    parts += [plural, *([quote(name)] if name else []), *([part] if part else [])]
    return "/" + "/".join(parts)


def _answer(
    connection: http.client.HTTPSConnection, method: str, target: str, payload: str | None, headers: dict[str, str]
) -> tuple[int, bytes]:
    connection.request(method, target, payload, headers)
    response = connection.getresponse()
    return response.status, response.read()


def _refusal(code: int, answer: bytes) -> Refused:
    try:
        status = json.loads(answer)
        return Refused(code, status.get("reason", ""), status.get("message", ""))
    except ValueError:
        return Refused(code, "", answer.decode(errors="replace"))
