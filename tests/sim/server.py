"""An API server in memory: what the operator relies on of the real one, and nothing more.

Optimistic locks, uid preconditions, field ownership of status, consistent lists in pages, finalizers, garbage
collection by owner, and watches. Bodies are never changed once they are stored. tests/apiserver says that the real
one does the same.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from virtual_time import stamp

from trainingrun.kube.transport import APPLY, Request, Response

Body = dict[str, Any]
Listener = Callable[[str, str, Body], None]
GC_SECONDS = 0.5


class Refusal(Exception):
    """The answer is a Status with this code and reason."""

    def __init__(self, code: int, reason: str, message: str):
        super().__init__(message)
        self.code, self.reason = code, reason


class Server:
    """The state of the cluster. `listeners` hear of every change as (type, plural, object)."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Body] = {}
        self.listeners: list[Listener] = []
        self.version = 100
        self._uids = 0
        self._owned: dict[str, dict[str, set[tuple[str, ...]]]] = {}
        self._lists: dict[str, list[Body]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def handle(self, request: Request) -> Response:
        """Carry out a request at once."""
        try:
            return _answer(200, self._carry_out(request))
        except Refusal as refusal:
            status = {"kind": "Status", "reason": refusal.reason, "message": str(refusal), "code": refusal.code}
            return _answer(refusal.code, status)

    def copy(self) -> Server:
        """The state as it is now, to be read later."""
        copy = Server()
        copy.objects, copy.version = dict(self.objects), self.version
        return copy

    def of(self, plural: str) -> Iterator[Body]:
        """All objects of a kind."""
        return iter([body for (kind, _, _), body in self.objects.items() if kind == plural])

    def find(self, plural: str, namespace: str, name: str) -> Body | None:
        return self.objects.get((plural, namespace, name))

    def create(self, plural: str, namespace: str, body: Body) -> Body:
        name = body["metadata"]["name"]
        if (plural, namespace, name) in self.objects:
            raise Refusal(409, "AlreadyExists", f'{plural} "{name}" already exists')
        self._uids += 1
        metadata = {
            **body["metadata"],
            "namespace": namespace,
            "uid": f"{plural}-{self._uids}",
            "creationTimestamp": stamp(),
            "generation": 1,
        }
        body.setdefault("status", {})
        return self._store("ADDED", plural, {**body, "metadata": metadata})

    def update(self, plural: str, body: Body, **changes: Any) -> Body:
        """Replace top-level fields of an object, as a controller does; the object must exist."""
        metadata = body["metadata"]
        current = self.objects[plural, metadata["namespace"], metadata["name"]]
        return self._store("MODIFIED", plural, {**current, **changes})

    def delete(self, plural: str, body: Body) -> Body | None:
        """Delete, or only mark if finalizers hold the object. None when it is gone at once."""
        metadata = body["metadata"]
        key = plural, metadata["namespace"], metadata["name"]
        current = self.objects[key]
        if current["metadata"].get("finalizers"):
            if "deletionTimestamp" in current["metadata"]:
                return current
            return self._store("MODIFIED", plural, _with_metadata(current, deletionTimestamp=stamp()))
        del self.objects[key]
        self.version += 1
        self._tell("DELETED", plural, _with_metadata(current, resourceVersion=str(self.version)))
        self._spawn(self._collect(current["metadata"]["uid"]))
        return None

    def finish(self, plural: str, body: Body) -> None:
        """Remove the finalizers of an object that is being deleted."""
        metadata = body["metadata"]
        current = self.objects[plural, metadata["namespace"], metadata["name"]]
        self._store("MODIFIED", plural, _with_metadata(current, finalizers=[]))
        self.delete(plural, current)

    def _carry_out(self, request: Request) -> Body:
        plural, namespace, name, subresource = _parts(request.path)
        if request.method == "GET" and name is None:
            return self._list(plural, namespace, request)
        if request.method == "POST":
            return self.create(plural, str(namespace), _copied(request.body))
        key = plural, str(namespace), str(name)
        current = self.objects.get(key)
        if current is None:
            raise Refusal(404, "NotFound", f'{plural} "{name}" not found')
        body = _copied(request.body)
        if request.method == "GET":
            return current
        if request.method == "DELETE":
            self._check(current, body.get("preconditions") or {})
            return self.delete(plural, current) or {"kind": "Status", "status": "Success"}
        self._check(current, body["metadata"])
        if request.method == "PUT":
            return self._store("MODIFIED", plural, {**current, "spec": body["spec"]})
        assert request.content_type == APPLY and subresource == "status", f"not served: {request}"
        return self._apply_status(plural, current, body["status"], request.query["fieldManager"])

    def _check(self, current: Body, wanted: Body) -> None:
        for field in ("uid", "resourceVersion"):
            if field in wanted and wanted[field] != current["metadata"][field]:
                raise Refusal(409, "Conflict", f"{field} is {current['metadata'][field]}, not {wanted[field]}")

    def _list(self, plural: str, namespace: str | None, request: Request) -> Body:
        place, limit = request.query.get("continue"), int(request.query.get("limit", "0"))
        if place is not None:
            items, version = self._lists.pop(place), place.split("/")[0]
        else:
            wanted = [term.split("=") for term in request.query.get("labelSelector", "").split(",") if term]
            items = [
                body
                for body in self.of(plural)
                if namespace in (None, body["metadata"]["namespace"])
                and all((body["metadata"].get("labels") or {}).get(key) == value for key, value in wanted)
            ]
            version = str(self.version)
        page, rest = (items[:limit], items[limit:]) if limit else (items, [])
        metadata = {"resourceVersion": version}
        if rest:
            metadata["continue"] = f"{version}/{len(self._lists)}/{len(rest)}"
            self._lists[metadata["continue"]] = rest
        return {"kind": "List", "metadata": metadata, "items": page}

    def _apply_status(self, plural: str, current: Body, status: Body, manager: str) -> Body:
        """Own exactly these fields: what this manager owned and does not send, and nobody else owns, goes."""
        owners = self._owned.setdefault(current["metadata"]["uid"], {})
        paths = set(_paths(status))
        others = set().union(*(owned for name, owned in owners.items() if name != manager))
        result = _copied(current.get("status") or {})
        for path in owners.get(manager, set()) - paths - others:
            _remove(result, path)
        for path in paths:
            _set(result, path, _value(status, path))
        owners[manager] = paths
        if result == (current.get("status") or {}):
            return current
        return self._store("MODIFIED", plural, {**current, "status": result})

    def _store(self, change: str, plural: str, body: Body) -> Body:
        self.version += 1
        stored = _with_metadata(body, resourceVersion=str(self.version))
        metadata = stored["metadata"]
        self.objects[plural, metadata["namespace"], metadata["name"]] = stored
        self._tell(change, plural, stored)
        return stored

    def _tell(self, change: str, plural: str, body: Body) -> None:
        for listener in list(self.listeners):
            listener(change, plural, body)

    async def _collect(self, owner: str) -> None:
        await asyncio.sleep(GC_SECONDS)
        for (plural, _, _), body in list(self.objects.items()):
            if any(reference["uid"] == owner for reference in body["metadata"].get("ownerReferences") or ()):
                self.delete(plural, body)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _answer(status: int, body: Body) -> Response:
    return Response(status, {}, json.dumps(body).encode())


def _copied(body: Any) -> Any:
    return json.loads(json.dumps(body))


def _with_metadata(body: Body, **changes: Any) -> Body:
    return {**body, "metadata": {**body["metadata"], **changes}}


def _parts(path: str) -> tuple[str, str | None, str | None, str | None]:
    """Plural, namespace, name and subresource of a path."""
    words = path.strip("/").split("/")
    words = words[3:] if words[0] == "apis" else words[2:]
    namespace = None
    if words[0] == "namespaces":
        namespace, words = words[1], words[2:]
    name, subresource, *_ = [*words[1:], None, None]
    return words[0], namespace, name, subresource


def _paths(status: Body) -> Iterator[tuple[str, ...]]:
    """The fields that have owners of their own: those of status, and those of dataStatus."""
    for name, value in status.items():
        if name == "dataStatus":
            yield from ((name, inner) for inner in value)
        else:
            yield (name,)


def _value(status: Body, path: tuple[str, ...]) -> Any:
    for name in path:
        status = status[name]
    return status


def _set(status: Body, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        status = status.setdefault(name, {})
    status[path[-1]] = value


def _remove(status: Body, path: tuple[str, ...]) -> None:
    for name in path[:-1]:
        status = status.get(name, {})
    status.pop(path[-1], None)
