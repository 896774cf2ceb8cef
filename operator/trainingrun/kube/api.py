"""Requests to the API server in this project's terms: raw JSON in, raw JSON out, typed errors.

It must not decide anything: no retries, no caching, no defaults for what is written. A write waits for its turn, so
that this client never has more than `max_writes` of them in flight, and only then asks whether it may still be sent.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from trainingrun.contract.labels import FIELD_MANAGER
from trainingrun.kube.answers import Body, Page, changes_of, json_of
from trainingrun.kube.errors import ApiError, NotFound, error_of
from trainingrun.kube.resources import ACCESS_REVIEWS, PODS, TOKEN_REVIEWS, Resource
from trainingrun.kube.transport import APPLY, MERGE, Request, Response, Transport

Observer = Callable[[str, str, int], None]  # verb, plural, HTTP status or 0
PAGE = 500


def _ignore(verb: str, plural: str, status: int) -> None:
    pass


def _allow() -> None:
    pass


class Api:
    """The API server. `observe` counts answers."""

    def __init__(self, transport: Transport, *, max_writes: int = 32, observe: Observer = _ignore):
        self._transport = transport
        self._writes = asyncio.Semaphore(max_writes)
        self._before_write: Callable[[], None] = _allow
        self._observe = observe

    def guarded(self, before_write: Callable[[], None]) -> Api:
        """The same connections and the same bound; each write asks first, and what that raises stops it."""
        guarded = copy.copy(self)
        guarded._before_write = before_write
        return guarded

    async def get(self, resource: Resource, namespace: str | None, name: str, *, seconds: float = 30.0) -> Body:
        """The object as it is now (a consistent read)."""
        return await self._send("get", resource, Request("GET", resource.path(namespace, name), timeout=seconds))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        selector: str = "",
        fields: str = "",
        limit: int = PAGE,
    ) -> AsyncIterator[Page]:
        """All objects as they are now, in pages of one consistent snapshot. Raises `Expired` if it gets too old.

        `selector` is of labels, `fields` of fields.
        """
        selectors = {"labelSelector": selector, "fieldSelector": fields}
        query = {"limit": str(limit), **{name: value for name, value in selectors.items() if value}}
        while True:
            body = await self._send("list", resource, Request("GET", resource.path(namespace), query))
            metadata = body.get("metadata") or {}
            yield Page(body.get("items") or [], str(metadata.get("resourceVersion", "")))
            query["continue"] = metadata.get("continue") or ""
            if not query["continue"]:
                return

    async def list(
        self, resource: Resource, namespace: str | None = None, *, selector: str = "", fields: str = ""
    ) -> list[Body]:
        """All objects as they are now, in one list."""
        pages = self.pages(resource, namespace, selector=selector, fields=fields)
        return [item async for page in pages for item in page.items]

    async def resource_of(self, api_version: str, kind: str) -> Resource | None:
        """Where the API server keeps objects of this kind, as it says itself; None if it does not know the kind."""
        group, _, version = api_version.rpartition("/")
        kinds = Resource(group, version, "", kind)
        try:
            listed = (await self._send("get", kinds, Request("GET", kinds.root))).get("resources") or ()
        except NotFound:
            return None
        known = (entry for entry in listed if entry["kind"] == kind and "/" not in entry["name"])
        found = next(known, None)
        return found and Resource(group, version, found["name"], kind, bool(found["namespaced"]))

    async def create(
        self, resource: Resource, namespace: str | None, body: Mapping[str, Any], *, seconds: float = 30.0
    ) -> Body:
        """Create the object. Neither server nor client works on it for longer than `seconds`."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "timeout": f"{seconds:g}s"}
        request = Request("POST", resource.path(namespace), query, body, timeout=seconds)
        return await self._write("create", resource, request)

    async def replace(
        self, resource: Resource, namespace: str | None, body: Mapping[str, Any], *, seconds: float = 30.0
    ) -> Body:
        """Replace the object, if it still has the body's resource version."""
        path = resource.path(namespace, body["metadata"]["name"])
        request = Request("PUT", path, {"fieldManager": FIELD_MANAGER}, body, timeout=seconds)
        return await self._write("update", resource, request)

    async def merge(
        self, resource: Resource, namespace: str | None, name: str, patch: Mapping[str, Any], *, manager: str
    ) -> Body:
        """Change the fields that `patch` names (RFC 7386). With a resource version in it, only if that is current."""
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        request = Request("PATCH", resource.path(namespace, name), query, patch, MERGE)
        return await self._write("patch", resource, request)

    async def apply(
        self, resource: Resource, body: Mapping[str, Any], *, manager: str, force: bool = False, dry_run: bool = False
    ) -> Body:
        """Server-side apply: own exactly the fields of `body`, and create the object if there is none."""
        metadata = body["metadata"]
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        request = Request("PATCH", resource.path(metadata.get("namespace"), metadata["name"]), query, body, APPLY)
        return await self._write("apply", resource, request)

    async def apply_status(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        status: Mapping[str, Any],
        *,
        manager: str,
        uid: str,
        resource_version: str | None = None,
    ) -> Body:
        """Server-side apply of /status: own exactly the fields of `status`.

        Raises `Conflict` if the object is not the one of this uid, or has moved on from `resource_version`.
        Fields that the server's definition does not know are dropped, not refused: an operator that is newer
        than its definitions must go on reporting.
        """
        metadata = {"name": name, "namespace": namespace, "uid": uid}
        if resource_version is not None:
            metadata["resourceVersion"] = resource_version
        body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "status": status}
        query = {"fieldManager": manager, "force": "true"}
        request = Request("PATCH", resource.path(namespace, name, "status"), query, body, APPLY)
        return await self._write("apply", resource, request)

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str, resource_version: str | None = None
    ) -> Body:
        """Delete the object of this uid, and in the background what it owns.

        Raises `Conflict` if another object has the name by now, or it has moved on from `resource_version`. Gives the
        object as it is being deleted, or a Status when it is gone at once.
        """
        preconditions = {"uid": uid, **({"resourceVersion": resource_version} if resource_version else {})}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": preconditions,
        }
        request = Request("DELETE", resource.path(namespace, name), {}, options)
        return await self._write("delete", resource, request)

    @asynccontextmanager
    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        name: str | None = None,
        selector: str = "",
        resource_version: str = "",
        seconds: int | None = None,
        silence: float | None = None,
    ) -> AsyncIterator[AsyncIterator[tuple[str, Body]]]:
        """Changes as (type, object), until the server ends the stream, after `seconds` at the latest.

        Raises `Expired` to list again, and `Transient` when the server has been silent for `silence` seconds.
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": resource_version}
        if seconds is not None:
            query["timeoutSeconds"] = str(seconds)
        if name is not None:
            query["fieldSelector"] = f"metadata.name={name}"
        if selector:
            query["labelSelector"] = selector
        request = Request("GET", resource.path(namespace), query, timeout=None, silence=silence)
        async with self._transport.stream(request) as (answer, lines):
            self._judge("watch", resource, answer)
            yield changes_of(lines)

    @asynccontextmanager
    async def logs(
        self, namespace: str, pod: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a container's log."""
        query = {"container": container, "follow": "true" if follow else "false"}
        if tail is not None:
            query["tailLines"] = str(tail)
        request = Request("GET", PODS.path(namespace, pod, "log"), query, timeout=None)
        async with self._transport.stream(request) as (answer, lines):
            self._judge("log", PODS, answer)
            yield (line.decode(errors="replace") async for line in lines)

    async def may(self, verb: str, resource: Resource, namespace: str, subresource: str = "") -> bool:
        """Whether the API server would let us do this."""
        wanted = {"verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace}
        spec = {"resourceAttributes": {**wanted, "subresource": subresource}}
        return bool((await self._review(ACCESS_REVIEWS, spec)).get("allowed"))

    async def review_token(self, token: str, audience: str) -> Body:
        """The status of a TokenReview: whether the token is valid for the audience, and whose it is."""
        return await self._review(TOKEN_REVIEWS, {"token": token, "audiences": [audience]})

    async def _review(self, kind: Resource, spec: Mapping[str, Any]) -> Body:
        review = {"apiVersion": kind.api_version, "kind": kind.kind, "spec": spec}
        # It stores nothing, so it is not a write: a replica that does not lead may ask too.
        request = Request("POST", kind.path(), {}, review, timeout=10.0)
        return dict((await self._send("create", kind, request)).get("status") or {})

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _write(self, verb: str, resource: Resource, request: Request) -> Body:
        async with self._writes:
            self._before_write()
            return await self._send(verb, resource, request)

    async def _send(self, verb: str, resource: Resource, request: Request) -> Body:
        try:
            answer = await self._transport.send(request)
        except ApiError:
            self._observe(verb, resource.plural, 0)
            raise
        self._judge(verb, resource, answer)
        return json_of(answer.body)

    def _judge(self, verb: str, resource: Resource, answer: Response) -> None:
        self._observe(verb, resource.plural, answer.status)
        if answer.status >= 400:
            raise error_of(answer.status, answer.headers, answer.body)
