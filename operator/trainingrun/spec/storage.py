"""Where a run keeps its checkpoints and results, and which checkpoints are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from trainingrun.errors import Problem
from trainingrun.spec.model import Model, ObjectName, text

VALIDATION_PREFIX = "validation_"

# What a volume would hide, and a pod cannot live without; and other writings of a path, which could name the same.
SYSTEM_FOLDER_PATTERN = (
    r"^/((bin|etc|lib|lib32|lib64|run|sbin|tmp|usr|usr/bin|usr/lib|usr/local|usr/local/bin|usr/local/lib|var|var/run)?/*"
    r"|(dev|proc|sys|etc/trainingrun|opt/trainingrun|run/secrets|var/run/secrets|tmp/ray)(/.*)?)$"
)
UNUSUAL_PATH_PATTERN = r"//|/[.][.]?(/|$)"
_SYSTEM_FOLDER, _UNUSUAL_PATH = re.compile(SYSTEM_FOLDER_PATTERN), re.compile(UNUSUAL_PATH_PATTERN)

MetricName = Annotated[
    str, text(128, pattern=r"^[A-Za-z_][A-Za-z0-9_./-]*$", words="letters, digits, '_', '.', '/' and '-'")
]
Uri = Annotated[
    str,
    text(2048, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*://[^\x00-\x1f\x7f]+$", words="a URI, as in s3://bucket/runs"),
]
MountPath = Annotated[
    str,
    text(1024, pattern=r"^/[^:\x00-\x1f\x7f]*$", words="an absolute path without ':' or control characters"),
]


# Names of the protocol of one store.
_SAME_STORE = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfss": "abfs"}

# As uids are, so that a run can go on in the folder of one that had no name for it.
FolderName = Annotated[
    str,
    text(
        63,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        words="lower-case letters, digits and '-', starting and ending with a letter or digit",
    ),
]


OWN_FOLDER_WORDS = (
    "a folder of its own, as in /mnt/data: none of the system's or the pods', such as /usr and /tmp, "
    "and without '//', '.' and '..'"
)


def is_folder_of_its_own(mount_path: str) -> bool:
    """Whether a volume that is mounted there hides nothing that pods need."""
    return not (_UNUSUAL_PATH.search(mount_path) or _SYSTEM_FOLDER.match(mount_path))


class NameReference(Model):
    """An object in the run's namespace, by name."""

    name: ObjectName = Field(description="Name of the object, at most 253 characters.")


class PersistentVolumeClaim(Model):
    """A claim that every pod of the run mounts."""

    claim_name: ObjectName = Field(description="Name of the claim in the run's namespace, at most 253 characters.")
    mount_path: MountPath = Field(
        description="Absolute path at which it is mounted, at most 1024 characters; no folder of the system or of pods."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """The volume hides nothing that the pods need."""
        if not is_folder_of_its_own(self.mount_path):
            yield Problem("mountPath", self.mount_path, OWN_FOLDER_WORDS)


class BestCheckpoint(Model):
    """Which checkpoint counts as the best and is kept in addition to the newest ones."""

    metric: MetricName = Field(
        description="Reported metric, at most 128 characters; validation_... needs a validation dataset."
    )
    mode: Literal["Max", "Min"] = Field(default="Max", description="Whether the largest or the smallest value is best.")


class Checkpoints(Model):
    """When checkpoints are written and which are kept."""

    num_to_keep: int = Field(default=3, ge=1, le=100, description="Checkpoints to keep in storage, 1 to 100.")
    every_steps: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000_000,
        description="Also save a checkpoint every this many steps, 1 to 1,000,000,000; only per epoch if not given.",
    )
    every_epochs: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        description="Save a checkpoint at the end of every this many epochs, and of the last one; 1 to 1,000,000.",
    )
    best: BestCheckpoint | None = Field(default=None, description="Also keep the best checkpoint, by this metric.")


class Storage(Model):
    """Where the run keeps everything that must outlive its pods: exactly one of uri and persistentVolumeClaim."""

    uri: Uri | None = Field(
        default=None,
        description="Location that pyarrow can write to, such as s3://bucket/prefix, at most 2048 characters.",
    )
    persistent_volume_claim: PersistentVolumeClaim | None = Field(
        default=None, description="A claim that every pod can mount (ReadWriteMany with several nodes)."
    )
    secret_ref: NameReference | None = Field(
        default=None,
        description="Secret whose keys become variables of every pod, such as AWS_ACCESS_KEY_ID.",
    )
    run_name: FolderName | None = Field(
        default=None,
        description="Name of the run's folder, at most 63 characters; default: its uid. A later run with the same name "
        "goes on from its checkpoints.",
    )
    checkpoints: Checkpoints = Field(
        default=Checkpoints(), description="When checkpoints are written and which are kept."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """Exactly one place."""
        if (self.uri is None) == (self.persistent_volume_claim is None):
            found, hint = "neither", ""
            if self.uri is not None:
                found, hint = "both", "; spec.volumes and spec.volumeMounts mount further claims, such as one of data"
            yield Problem("", f"{found} of uri and persistentVolumeClaim", f"exactly one of them{hint}")

    def place(self, namespace: str) -> str:
        """Where folders lie, for comparison: the same for two runs, the second in `namespace` too, that share it."""
        if self.persistent_volume_claim is not None:
            return f"pvc:{namespace}/{self.persistent_volume_claim.claim_name}"
        scheme, _, path = (self.uri or "").partition("://")
        scheme = scheme.lower()
        parts = [part for part in path.split("/") if part]
        return f"{_SAME_STORE.get(scheme, scheme)}://{'/'.join(parts)}"

    def folder(self, identity: str) -> str:
        """The name of the folder of the run with this identity: its uid where Kubernetes gave it one, else its name."""
        return self.run_name or identity
