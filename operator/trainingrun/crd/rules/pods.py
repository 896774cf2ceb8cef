"""The rules of what pods have: volumes and mounts, labels and annotations, and the topology of trainers."""

from __future__ import annotations

from collections.abc import Iterator

from trainingrun.crd.rules.rule import KEYS, MAY_COME, Rule, exactly_one, given
from trainingrun.spec.model import Model
from trainingrun.spec.pod_metadata import FREE_KEYS, RESERVED_KEY_PATTERN, PodMetadata
from trainingrun.spec.run import RunSpec
from trainingrun.spec.storage import SYSTEM_FOLDER_PATTERN, UNUSUAL_PATH_PATTERN, PersistentVolumeClaim
from trainingrun.spec.topology import Topology
from trainingrun.spec.volumes import (
    KINDS,
    RESERVED_NAMES,
    CsiVolume,
    EmptyDirVolume,
    ProjectedSource,
    Volume,
    VolumeMount,
)

_LISTS = ("self.volumeMounts", "self.trainer.volumeMounts", "self.data.volumeMounts")


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _own_folder(model: type[Model], mirrors: str) -> Rule:
    return Rule(
        model,
        mirrors,
        f"""!self.mountPath.matches(r'{UNUSUAL_PATH_PATTERN}')
            && !self.mountPath.matches(r'{SYSTEM_FOLDER_PATTERN}')""",
        "`mountPath` must be a folder of its own, as in /mnt/data: none of the system's or the pods', "
        "such as /usr and /tmp, and without '//', '.' and '..'",
        field="mountPath",
    )


def _rules_of_mounting() -> Iterator[Rule]:
    for mounts in _LISTS:
        field = mounts.removeprefix("self.")
        yield Rule(
            RunSpec,
            "pod_rules._names_of_volumes",
            f"""{MAY_COME} !({given(mounts)})
                || {mounts}.all(m, has(self.volumes) && self.volumes.exists(v, v.name == m.name))""",
            f"`{field}` must name volumes of `volumes`",
            field=field,
        )
        yield Rule(
            RunSpec,
            "pod_rules._places_of_mounts",
            f"""{MAY_COME} !({given(mounts)}) || !({given("self.storage.persistentVolumeClaim")})
                || {mounts}.all(m, m.mountPath != self.storage.persistentVolumeClaim.mountPath)""",
            f"`{field}` must have other paths than `storage.persistentVolumeClaim`",
            field=field,
        )
    used = " || ".join(f"{given(mounts)} && {mounts}.exists(m, m.name == v.name)" for mounts in _LISTS)
    yield Rule(
        RunSpec,
        "pod_rules._names_of_volumes",
        f"{MAY_COME} !has(self.volumes) || self.volumes.all(v, {used})",
        "each of `volumes` must be mounted, in `volumeMounts` or in those of `trainer` or `data`",
        field="volumes",
    )
    for group in ("trainer", "data"):
        yield Rule(
            RunSpec,
            "pod_rules._places_of_mounts",
            f"""{MAY_COME} !has(self.volumeMounts) || !({given(f"self.{group}.volumeMounts")})
                || self.{group}.volumeMounts.all(m, !self.volumeMounts.exists(o, o.mountPath == m.mountPath))""",
            f"`{group}.volumeMounts` must have other paths than `volumeMounts`, which the group's pods have too",
            field=f"{group}.volumeMounts",
        )


def _rules_of_metadata() -> Iterator[Rule]:
    for field in ("labels", "annotations"):
        yield Rule(
            PodMetadata,
            "pod_metadata.POD_KEYS",
            KEYS,
            f"keys of `{field}` must be at most 317 characters, such as `team` or `example.com/team`",
            at=field,
        )
        yield Rule(
            PodMetadata,
            "pod_metadata.PodMetadata.broken_rules",
            f"self.all(k, !k.matches(r'{RESERVED_KEY_PATTERN}') || k in [{_texts(FREE_KEYS)}])",
            f"`{field}` must have no prefix of kubernetes.io, k8s.io, x-k8s.io, ray.io and trainingrun.dev, "
            f"except {', '.join(FREE_KEYS)}",
            at=field,
        )


POD_RULES = (
    _own_folder(PersistentVolumeClaim, "storage.PersistentVolumeClaim.broken_rules"),
    _own_folder(VolumeMount, "volumes.VolumeMount.broken_rules"),
    Rule(
        Volume,
        "volumes.Volume.broken_rules",
        f"[{', '.join(f'has(self.{kind})' for kind in KINDS)}].exists_one(given, given)",
        f"exactly one of {', '.join(f'`{kind}`' for kind in KINDS)} must be set",
    ),
    Rule(
        Volume,
        "volumes.Volume.broken_rules",
        f"!(self.name in [{_texts(RESERVED_NAMES)}])",
        f"`name` must be none of {', '.join(RESERVED_NAMES)}, which pods have already",
        field="name",
    ),
    Rule(
        ProjectedSource,
        "volumes.ProjectedSource.broken_rules",
        exactly_one("secret", "configMap"),
        "exactly one of `secret` and `configMap` must be set",
    ),
    Rule(
        EmptyDirVolume,
        "volumes.EmptyDirVolume.broken_rules",
        "!has(self.sizeLimit) || sign(quantity(string(self.sizeLimit))) >= 0",
        "`sizeLimit` must be 0 or more",
        field="sizeLimit",
    ),
    Rule(
        CsiVolume,
        "volumes.ATTRIBUTE_KEYS",
        "self.all(k, k.size() <= 253 && k.matches(r'^[!-~]+$'))",
        "keys of `volumeAttributes` must be 1 to 253 characters without spaces",
        at="volumeAttributes",
    ),
    Rule(
        Topology,
        "topology.Topology.broken_rules",
        exactly_one("preferred", "required"),
        "exactly one of `preferred` and `required` must be set",
    ),
    *_rules_of_metadata(),
    *_rules_of_mounting(),
)
