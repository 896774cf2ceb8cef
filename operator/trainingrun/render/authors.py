"""What the author of a run gives to the pods of a group: volumes, labels, annotations, and how near they are placed.

What could replace something of the operator's, `trainingrun.spec` has refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trainingrun.contract.labels import (
    PREFERRED_TOPOLOGY_KEY,
    QUEUE_KEY,
    RAY_DATA_VALUE,
    RAY_GROUP_KEY,
    RAY_TRAINER_VALUE,
    REQUIRED_TOPOLOGY_KEY,
    RUN_UID_KEY,
)
from trainingrun.observed import RunObject
from trainingrun.spec.model import Model
from trainingrun.spec.run import RunSpec
from trainingrun.spec.topology import Topology


@dataclass(frozen=True)
class AuthorsParts:
    """As in a pod's metadata and spec; `mounts` are those of Ray's container."""

    labels: dict[str, str]
    annotations: dict[str, str]
    volumes: list[dict[str, Any]]
    mounts: list[dict[str, Any]]
    affinity: dict[str, Any] | None


def authors_parts(owner: RunObject, spec: RunSpec, group: str) -> AuthorsParts:
    """What the author gives to the pods of this group."""
    own = {RAY_DATA_VALUE: spec.data.volume_mounts, RAY_TRAINER_VALUE: spec.trainer.volume_mounts}.get(group, ())
    mounts = (*spec.volume_mounts, *own)
    mounted = {mount.name for mount in mounts}
    metadata = next((entry for entry in spec.pod_metadata if entry.target.lower() == group), None)
    annotations = dict(metadata.annotations) if metadata else {}
    affinity = None
    if spec.topology is not None and group == RAY_TRAINER_VALUE:
        # Kueue chooses nodes by its own topology, of which a pod affinity would know nothing.
        if QUEUE_KEY in owner.labels:
            annotations |= _topology_request(spec.topology)
        else:
            affinity = _near_each_other(spec.topology, owner.uid)
    return AuthorsParts(
        labels=dict(metadata.labels) if metadata else {},
        annotations=annotations,
        # A pod waits for volumes that it does not mount too.
        volumes=[_as_given(volume) for volume in spec.volumes if volume.name in mounted],
        mounts=[_as_given(mount) for mount in mounts],
        affinity=affinity,
    )


def _topology_request(topology: Topology) -> dict[str, str]:
    if topology.required is not None:
        return {REQUIRED_TOPOLOGY_KEY: topology.required}
    return {PREFERRED_TOPOLOGY_KEY: str(topology.preferred)}


def _near_each_other(topology: Topology, uid: str) -> dict[str, Any]:
    """Of all attempts, of which only one has pods: a trainer that comes later joins those that are there."""
    selector = {"matchLabels": {RUN_UID_KEY: uid, RAY_GROUP_KEY: RAY_TRAINER_VALUE}}
    term = {"labelSelector": selector, "topologyKey": topology.required or topology.preferred}
    if topology.required is not None:
        return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _as_given(part: Model) -> dict[str, Any]:
    """As the author wrote it, in Kubernetes' own shape."""
    return part.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
