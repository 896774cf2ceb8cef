"""A folder of code that goes with a run, in a ConfigMap of the run's own, which is deleted with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from trainingrun.archive import ARCHIVE_KEY, Archive, code_field
from trainingrun.client.change import MANAGER
from trainingrun.client.problems import ClusterError
from trainingrun.client.session import Session
from trainingrun.contract.labels import API_VERSION, KIND, RUN_NAME_KEY
from trainingrun.kube import ApiError, Body
from trainingrun.kube.resources import CONFIG_MAPS


async def check_code(session: Session, document: Mapping[str, Any], namespace: str, archive: Archive) -> None:
    """Have the API server check the ConfigMap, before there is a run that would wait for it."""
    await _apply(session, _config_map(document, namespace, archive), dry_run=True)


async def put_code(session: Session, run: Body, archive: Archive) -> None:
    """Create the ConfigMap of a run that was just applied, unless it is there."""
    metadata = run["metadata"]
    body = _config_map(run, metadata["namespace"], archive)
    owner = {"apiVersion": API_VERSION, "kind": KIND, "name": metadata["name"], "uid": metadata["uid"]}
    body["metadata"]["ownerReferences"] = [owner]
    try:
        await _apply(session, body, dry_run=False)
    except ApiError as error:
        words = " ".join(error.message.split()).removesuffix(".")
        raise ClusterError(
            f"{metadata['name']} is submitted and waits for its code, which could not be: {words}. "
            "Run the same command again."
        ) from error


async def _apply(session: Session, body: dict[str, Any], *, dry_run: bool) -> None:
    await session.api.apply(CONFIG_MAPS, body, manager=MANAGER, force=True, dry_run=dry_run)


def _config_map(document: Mapping[str, Any], namespace: str, archive: Archive) -> dict[str, Any]:
    name = document["metadata"]["name"]
    return {
        "apiVersion": CONFIG_MAPS.api_version,
        "kind": CONFIG_MAPS.kind,
        "metadata": {
            "name": code_field(archive, name)["configMapKeyRef"]["name"],
            "namespace": namespace,
            "labels": {RUN_NAME_KEY: name},
        },
        "immutable": True,
        "binaryData": {ARCHIVE_KEY: base64.b64encode(archive.data).decode()},
    }
