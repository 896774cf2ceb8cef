"""Volumes of pods and where they are mounted, in the shape that they have in a pod's spec.

Only kinds that the restricted Pod Security profile allows, and none that hands out tokens for the Kubernetes API.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, Strict
from pydantic.alias_generators import to_camel

from trainingrun.errors import Problem
from trainingrun.spec.model import DataKey, DnsLabel, Model, ObjectName, keys_match, rules_error, text
from trainingrun.spec.quantity import Quantity
from trainingrun.spec.storage import OWN_FOLDER_WORDS, MountPath, NameReference, is_folder_of_its_own

_FIELDS = ("persistent_volume_claim", "secret", "config_map", "empty_dir", "csi", "projected")
KINDS = tuple(map(to_camel, _FIELDS))
# Of the pods that are rendered, and those that KubeRay adds.
RESERVED_NAMES = (
    "tmp",
    "storage",
    "run",
    "code",
    "archive",
    "progress",
    "autoscaler-token",
    "shared-mem",
    "ray-logs",
    "ray-token",
)
MAX_FILE_MODE = 0o777
MAX_VOLUMES = 16
MAX_MOUNTS = 32

_PART = r"[.]?[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*"
RelativePath = Annotated[
    str, text(1024, pattern=rf"^{_PART}(/{_PART})*/?$", words="a relative path without '//', '.' and '..'")
]
FileMode = Annotated[int, Field(ge=0, le=MAX_FILE_MODE)]
DriverName = Annotated[
    str,
    text(63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$", words="a driver's name, as in secrets.example.com"),
]
ATTRIBUTE_KEYS = keys_match(r"[!-~]+", 253, "1 to 253 characters without spaces")
Attributes = Annotated[
    dict[str, Annotated[str, text(1024, min_length=0)]], Field(max_length=32), AfterValidator(ATTRIBUTE_KEYS)
]


class KeyFile(Model):
    """A key of a Secret or ConfigMap as a file."""

    key: DataKey = Field(description="Key in the object, at most 253 characters.")
    path: RelativePath = Field(description="File, relative to the mount, at most 1024 characters.")
    mode: FileMode | None = Field(default=None, description="Permissions of the file, 0 to 511 (0777).")


KeyFiles = Annotated[tuple[KeyFile, ...], Strict(False), Field(max_length=64)]
_ITEMS_WORDS = "Keys to mount, at most 64; all if not given."
_MODE_WORDS = "Permissions of files, 0 to 511 (0777); 420 (0644) if not given."
_OPTIONAL_WORDS = "Whether pods may start without it; they wait for it if not given."


class ClaimVolume(Model):
    """A claim in the run's namespace."""

    claim_name: ObjectName = Field(description="Name of the claim, at most 253 characters.")
    read_only: bool = Field(default=False, description="Whether no pod may write to it, wherever it is mounted.")


class SecretVolume(Model):
    """Keys of a Secret as files."""

    secret_name: ObjectName = Field(description="Name of the Secret in the run's namespace, at most 253 characters.")
    items: KeyFiles | None = Field(default=None, description=_ITEMS_WORDS)
    default_mode: FileMode | None = Field(default=None, description=_MODE_WORDS)
    optional: bool | None = Field(default=None, description=_OPTIONAL_WORDS)


class ConfigMapVolume(Model):
    """Keys of a ConfigMap as files."""

    name: ObjectName = Field(description="Name of the ConfigMap in the run's namespace, at most 253 characters.")
    items: KeyFiles | None = Field(default=None, description=_ITEMS_WORDS)
    default_mode: FileMode | None = Field(default=None, description=_MODE_WORDS)
    optional: bool | None = Field(default=None, description=_OPTIONAL_WORDS)


class EmptyDirVolume(Model):
    """A folder of each pod's own, which is empty at first and goes with the pod."""

    medium: Literal["", "Memory"] | None = Field(
        default=None, description="Memory counts towards the pod's memory; the node's disk if not given."
    )
    size_limit: Quantity | None = Field(default=None, description="The most that it may hold; no limit if not given.")

    def broken_rules(self) -> Iterable[Problem]:
        """An amount that Kubernetes would take."""
        if self.size_limit is not None and self.size_limit.value < 0:
            yield Problem("sizeLimit", str(self.size_limit), "0 or more")


class CsiVolume(Model):
    """An ephemeral volume of a CSI driver, made for each pod."""

    driver: DriverName = Field(description="Name of the driver, at most 63 characters.")
    fs_type: Annotated[str, text(64, pattern=r"^[a-z0-9]+$", words="lower-case letters and digits")] | None = Field(
        default=None, description="File system, at most 64 characters; the driver's default if not given."
    )
    read_only: bool = Field(default=False, description="Whether no pod may write to it.")
    volume_attributes: Attributes | None = Field(
        default=None, description="What the driver asks for, at most 32 keys with at most 1,024 characters each."
    )
    node_publish_secret_ref: NameReference | None = Field(
        default=None, description="Secret that the driver gets to mount the volume."
    )


class ProjectedObject(Model):
    """A Secret or ConfigMap within a projected volume."""

    name: ObjectName = Field(description="Name of the object in the run's namespace, at most 253 characters.")
    items: KeyFiles | None = Field(default=None, description=_ITEMS_WORDS)
    optional: bool | None = Field(default=None, description=_OPTIONAL_WORDS)


class ProjectedSource(Model):
    """One part of a projected volume: exactly one of secret and configMap."""

    secret: ProjectedObject | None = Field(default=None, description="A Secret.")
    config_map: ProjectedObject | None = Field(default=None, description="A ConfigMap.")

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one object."""
        if (self.secret is None) == (self.config_map is None):
            found = "neither" if self.secret is None else "both"
            yield Problem("", f"{found} of secret and configMap", "exactly one of them")


class ProjectedVolume(Model):
    """Several Secrets and ConfigMaps in one folder."""

    sources: Annotated[tuple[ProjectedSource, ...], Strict(False)] = Field(
        min_length=1, max_length=16, description="The objects, 1 to 16."
    )
    default_mode: FileMode | None = Field(default=None, description=_MODE_WORDS)


class Volume(Model):
    """A volume and exactly one kind of source."""

    name: DnsLabel = Field(
        description=f"Name by which it is mounted, at most 63 characters; none of {', '.join(RESERVED_NAMES)}."
    )
    persistent_volume_claim: ClaimVolume | None = Field(default=None, description="A claim in the run's namespace.")
    secret: SecretVolume | None = Field(default=None, description="Keys of a Secret as files.")
    config_map: ConfigMapVolume | None = Field(default=None, description="Keys of a ConfigMap as files.")
    empty_dir: EmptyDirVolume | None = Field(default=None, description="A folder of each pod's own.")
    csi: CsiVolume | None = Field(default=None, description="An ephemeral volume of a CSI driver.")
    projected: ProjectedVolume | None = Field(
        default=None, description="Several Secrets and ConfigMaps in one folder; no tokens."
    )

    @property
    def is_read_only(self) -> bool:
        """Whether no pod can write to it, wherever it is mounted."""
        source = self.persistent_volume_claim or self.csi
        return source.read_only if source else self.empty_dir is None

    def broken_rules(self) -> Iterable[Problem]:
        """One source, and a name that is free."""
        given = [kind for field, kind in zip(_FIELDS, KINDS, strict=True) if getattr(self, field) is not None]
        if len(given) != 1:
            found = " and ".join(given) if given else "no source"
            yield Problem("", found, f"exactly one of {', '.join(KINDS)}")
        if self.name in RESERVED_NAMES:
            yield Problem("name", self.name, f"a name that pods do not have yet: none of {', '.join(RESERVED_NAMES)}")


class VolumeMount(Model):
    """Where a volume is seen in pods."""

    name: DnsLabel = Field(description="Name of a volume in spec.volumes, at most 63 characters.")
    mount_path: MountPath = Field(
        description="Absolute path at which it is mounted, at most 1024 characters; no folder of the system or of pods."
    )
    sub_path: RelativePath | None = Field(
        default=None,
        description="Folder or file in the volume to mount instead of its root, at most 1024 characters.",
    )
    read_only: bool = Field(default=False, description="Whether pods can only read there.")

    def broken_rules(self) -> Iterable[Problem]:
        """The mount hides nothing that the pods need."""
        if not is_folder_of_its_own(self.mount_path):
            yield Problem("mountPath", self.mount_path, OWN_FOLDER_WORDS)


def _names_are_unique(volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    _refuse_repeated([volume.name for volume in volumes], "name")
    return volumes


def _paths_are_unique(mounts: tuple[VolumeMount, ...]) -> tuple[VolumeMount, ...]:
    _refuse_repeated([mount.mount_path for mount in mounts], "mountPath")
    return mounts


def _refuse_repeated(values: list[str], field: str) -> None:
    again = [index for index, value in enumerate(values) if value in values[:index]]
    if again:
        raise rules_error(
            Problem(f"[{index}].{field}", f"{values[index]} again", f"each {field} once") for index in again
        )


Volumes = Annotated[tuple[Volume, ...], Strict(False), Field(max_length=MAX_VOLUMES), AfterValidator(_names_are_unique)]
VolumeMounts = Annotated[
    tuple[VolumeMount, ...], Strict(False), Field(max_length=MAX_MOUNTS), AfterValidator(_paths_are_unique)
]
