"""The rules between the parts of a spec that say what pods have: volumes, where they are mounted, and for whom.

Each takes only the parts that it is about, so that it is checked as soon as these are valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from trainingrun.errors import Problem
from trainingrun.spec.dataset import Dataset
from trainingrun.spec.groups import Data, Trainer
from trainingrun.spec.patches import PodTemplatePatch
from trainingrun.spec.storage import Storage
from trainingrun.spec.topology import Topology
from trainingrun.spec.volumes import Volume, VolumeMount

# Where a mount is said, by the path of its field.
_Mounts = dict[str, VolumeMount]


@dataclass(frozen=True)
class Mounting:
    """The valid parts that say what is mounted."""

    volumes: tuple[Volume, ...]
    mounts: tuple[VolumeMount, ...]
    trainer: Trainer
    data: Data
    storage: Storage

    @property
    def everywhere(self) -> _Mounts:
        """The mounts of all pods, of which the head has no others."""
        return _by_path("spec.volumeMounts", self.mounts)

    @property
    def groups(self) -> dict[str, _Mounts]:
        """The mounts that only the pods of a group have."""
        return {
            "trainer": _by_path("spec.trainer.volumeMounts", self.trainer.volume_mounts),
            "data": _by_path("spec.data.volumeMounts", self.data.volume_mounts),
        }


def rules_of_mounting(parts: Mounting, dataset: Dataset | None) -> Iterator[Problem]:
    """Every rule between volumes, mounts, storage and the places of rows that does not hold."""
    yield from _names_of_volumes(parts)
    yield from _places_of_mounts(parts)
    if dataset:
        yield from _rows_in_mounts(parts, dataset)


def topology_alone(topology: Topology | None, patches: tuple[PodTemplatePatch, ...]) -> Iterator[Problem]:
    """A patch's affinity would replace the one that topology makes."""
    for index, patch in enumerate(patches):
        if topology is not None and patch.target == "Trainer" and patch.spec.affinity is not None:
            yield Problem(
                f"spec.podTemplatePatches[{index}].spec.affinity",
                "an affinity of trainers beside spec.topology",
                "one of them, as topology is an affinity of trainers",
            )


def _by_path(path: str, mounts: tuple[VolumeMount, ...]) -> _Mounts:
    return {f"{path}[{index}]": mount for index, mount in enumerate(mounts)}


def _names_of_volumes(parts: Mounting) -> Iterator[Problem]:
    names = [volume.name for volume in parts.volumes]
    mounts = parts.everywhere | parts.groups["trainer"] | parts.groups["data"]
    for path, mount in mounts.items():
        if mount.name not in names:
            there = f": {', '.join(names)}" if names else ", which has none"
            yield Problem(f"{path}.name", mount.name, f"a name in spec.volumes{there}")
    used = {mount.name for mount in mounts.values()}
    for index, volume in enumerate(parts.volumes):
        if volume.name not in used:
            allowed = "an entry in spec.volumeMounts, or in those of trainer or data, for each volume"
            yield Problem(f"spec.volumes[{index}].name", f"{volume.name}, which is not mounted", allowed)


def _places_of_mounts(parts: Mounting) -> Iterator[Problem]:
    claim = parts.storage.persistent_volume_claim
    common = {PurePosixPath(claim.mount_path): "spec.storage.persistentVolumeClaim"} if claim else {}
    yield from _repeated_places(parts.everywhere, common)
    for mounts in parts.groups.values():
        yield from _repeated_places(mounts, dict(common))


def _repeated_places(mounts: _Mounts, taken: dict[PurePosixPath, str]) -> Iterator[Problem]:
    """The mounts at a path that is taken; adds the others to those that are."""
    for path, mount in mounts.items():
        first = taken.setdefault(PurePosixPath(mount.mount_path), path)
        if first != path:
            yield Problem(f"{path}.mountPath", mount.mount_path, f"another path than that of {first}")


def _rows_in_mounts(parts: Mounting, dataset: Dataset) -> Iterator[Problem]:
    """Rows are found by the head and read by the data group, which keeps prepared ones."""
    read = {"train": dataset.train.path}
    if dataset.validation:
        read["validation"] = dataset.validation.path
    for field, place in read.items():
        for path, mount in (parts.groups["trainer"] | parts.groups["data"]).items():
            if _is_in(place, mount) and not any(_is_in(place, other) for other in parts.everywhere.values()):
                allowed = "a path below a mount of spec.volumeMounts, as the head has to find the rows"
                yield Problem(f"spec.recipe.dataset.{field}.path", f"{place} below {path}", allowed)
                break
    cache = dataset.cache
    if cache is None or cache.path is None or cache.mode != "ReadWrite":
        return
    volumes = {volume.name: volume for volume in parts.volumes}
    for path, mount in (parts.everywhere | parts.groups["data"]).items():
        volume = volumes.get(mount.name)
        if _is_in(cache.path, mount) and (mount.read_only or (volume and volume.is_read_only)):
            allowed = "a path that data pods can write to, or mode ReadOnly"
            yield Problem("spec.recipe.dataset.cache.path", f"{cache.path} below {path}, which is read-only", allowed)


def _is_in(place: str, mount: VolumeMount) -> bool:
    return PurePosixPath(place).is_relative_to(mount.mount_path)
