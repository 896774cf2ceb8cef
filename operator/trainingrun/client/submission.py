"""Gives documents to the cluster as they stand, by server-side apply: runs, and what runs come with in their files.

It must not print, and sends nothing that was not read and checked as a whole before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trainingrun.archive import Archive
from trainingrun.client.change import MANAGER
from trainingrun.client.code import check_code, put_code
from trainingrun.client.problems import ClusterError
from trainingrun.client.refusals import refused_change
from trainingrun.client.session import Session
from trainingrun.kube import Body, Conflict, Rejected, Resource
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.spec.documents import LoadedRuntime, OtherDocument

# What users set of an object's metadata; a server has added the rest, such as managedFields, and takes it from nobody.
_SENT = ("name", "labels", "annotations")


@dataclass(frozen=True)
class Submission:
    """Documents on their way. `namespace` is the one that the user named, if any."""

    session: Session
    namespace: str | None = None
    force: bool = False
    dry_run: bool = False

    async def run(self, document: Mapping[str, Any], archive: Archive | None = None) -> Body:
        """Apply a run without its status, and the archive that is its code. The answer is the run as it is then."""
        body = {key: document[key] for key in ("apiVersion", "kind", "spec")}
        if archive is not None:
            namespace = document["metadata"].get("namespace") or self.session.namespace
            await check_code(self.session, document, namespace, archive)
        applied = await self._apply(TRAINING_RUNS, {**body, "metadata": document["metadata"]})
        if archive is not None and not self.dry_run:
            await put_code(self.session, applied, archive)
        return applied

    async def others(self, found: Iterable[OtherDocument | LoadedRuntime]) -> list[str]:
        """Apply what is no run, in its order. Says for each what was done.

        None is sent unless all of them can be.
        """
        wanted = [(await self._resource(other), other) for other in found]
        said = []
        for resource, other in wanted:
            applied = await self._apply(resource, {k: v for k, v in other.document.items() if k != "status"})
            dry = " (dry run)" if self.dry_run else ""
            said.append(f"{resource.kind} {applied['metadata']['name']} applied{dry}")
        return said

    async def _resource(self, other: OtherDocument | LoadedRuntime) -> Resource:
        kind, version = str(other.document["kind"]), str(other.document.get("apiVersion") or "")
        metadata = other.document.get("metadata")
        place = f"{other.source}:{other.line}"
        if not isinstance(metadata, Mapping) or not metadata.get("name"):
            raise ClusterError(f"{place}: a document of kind {kind} without metadata.name cannot be applied.")
        resource = await self.session.api.resource_of(version, kind)
        if resource is None:
            raise ClusterError(f"{place}: the cluster does not know {kind} of apiVersion {version or 'none'}.")
        return resource

    async def _apply(self, resource: Resource, document: Mapping[str, Any]) -> Body:
        metadata = document["metadata"]
        own = metadata.get("namespace")
        if own and self.namespace and own != self.namespace:
            raise ClusterError(f"{metadata['name']} has the namespace {own} in the file, but -n says {self.namespace}.")
        named = {key: metadata[key] for key in _SENT if key in metadata}
        where = {"namespace": own or self.session.namespace} if resource.namespaced else {}
        body = {**document, "metadata": {**named, **where}}
        try:
            return await self.session.api.apply(resource, body, manager=MANAGER, force=self.force, dry_run=self.dry_run)
        except (Conflict, Rejected) as error:
            raise refused_change(error, metadata["name"]) from error
