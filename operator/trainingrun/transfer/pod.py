"""The pod that serves a claim's files: short-lived, restricted, with the image that training has. Pure."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainingrun.contract.labels import API_VERSION, GROUP, KIND
from trainingrun.contract.pods import RAY_USER
from trainingrun.spec.runtime import whole_spec

CONTAINER = "files"
MOUNT = "/mnt/claim"
SERVED = "/tmp/served"  # noqa: S108 - in an empty volume of the pod's own
_PROGRAM = "TRAININGRUN_SERVING"
_PYTHON = ("python3", "-c", f"import os; exec(os.environ['{_PROGRAM}'])")
LABEL = f"{GROUP}/transfer"
# Whatever becomes of the command, of its connection and of the pod's own process.
DEADLINE_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Image:
    """The image that serves files, how it is pulled, and the service account that may pull it."""

    name: str
    pull_policy: str | None = None
    pull_secrets: Sequence[str] = ()
    service_account: str | None = None


def image_of(run: Mapping[str, Any]) -> Image | None:
    """The image of a run's JSON, None where it has none."""
    spec = whole_spec(run)
    secrets = [secret["name"] for secret in spec.get("imagePullSecrets") or () if "name" in secret]
    if not spec.get("image"):
        return None
    return Image(spec["image"], spec.get("imagePullPolicy"), secrets, spec.get("serviceAccountName"))


def serving_command() -> list[str]:
    """The command that serves files in the pod; the program is in a variable, since a request's address is short."""
    return [*_PYTHON, MOUNT, SERVED]


def _program() -> str:
    return importlib.resources.files("trainingrun.transfer").joinpath("serving.py").read_text(encoding="utf-8")


def pod(
    name: str, claim: str, image: Image, *, read_only: bool, fixed_ids: bool, run: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The pod. It goes with the `run`, if it is given one. With `fixed_ids` it has the user that pods of runs have."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image.name,
        "command": [*_PYTHON, "wait", SERVED],
        "env": [{"name": _PROGRAM, "value": _program()}],
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": security,
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
            {"name": "claim", "mountPath": MOUNT, "readOnly": read_only},
        ],
    }
    if image.pull_policy:
        container["imagePullPolicy"] = image.pull_policy
    labels = {"app.kubernetes.io/managed-by": "trainingrun", LABEL: "download" if read_only else "upload"}
    metadata: dict[str, Any] = {"name": name, "labels": labels}
    if run is not None:
        owner = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": run["metadata"]["name"],
            "uid": run["metadata"]["uid"],
        }
        metadata["ownerReferences"] = [owner]
    ids = {"runAsUser": RAY_USER, "runAsGroup": 1000, "fsGroup": 1000} if fixed_ids else {}
    account = {"serviceAccountName": image.service_account} if image.service_account else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            **account,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            # It has nothing to finish: whoever copies asks for what is missing.
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": secret} for secret in image.pull_secrets],
            "securityContext": {
                "runAsNonRoot": True,
                **ids,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [
                {"name": "tmp", "emptyDir": {"sizeLimit": "1Mi"}},
                {"name": "claim", "persistentVolumeClaim": {"claimName": claim}},
            ],
        },
    }
