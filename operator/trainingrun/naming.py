"""Names and labels of what the operator creates for a run, by which everything of a run is found again.

Names are a pure function of (run, uid, attempt): a create that is repeated after a crash meets its own object.
"""

from __future__ import annotations

import base64
import hashlib

from trainingrun.contract.labels import ATTEMPT_KEY, MANAGED_BY_KEY, MANAGED_BY_VALUE, RUN_NAME_KEY, RUN_UID_KEY
from trainingrun.observed import RunObject

# KubeRay refuses longer names of RayJobs, because it appends to them for RayClusters, services and pods.
MAX_RAY_JOB_NAME = 47
_HASH_LENGTH = 5


def ray_job_name(run_name: str, uid: str, attempt: int) -> str:
    """The name of an attempt's RayJob, a DNS-1035 label: `<run name, cut if needed>-<hash of the uid>-<attempt>`.

    The hash tells apart a run from an earlier one of the same name, whose objects may not be gone yet.
    """
    digest = base64.b32encode(hashlib.sha256(uid.encode()).digest()).decode().lower()
    suffix = f"-{digest[:_HASH_LENGTH]}-{attempt}"
    return run_name[: MAX_RAY_JOB_NAME - len(suffix)].rstrip("-") + suffix


def object_labels(run: RunObject, attempt: int) -> dict[str, str]:
    """The labels of what is made for an attempt; KubeRay hands a RayJob's on to its RayCluster, not to pods."""
    return {
        MANAGED_BY_KEY: MANAGED_BY_VALUE,
        RUN_NAME_KEY: run.name,
        RUN_UID_KEY: run.uid,
        ATTEMPT_KEY: str(attempt),
    }


def run_selector(uid: str) -> str:
    """The label selector of everything that belongs to one run, for any attempt."""
    return f"{RUN_UID_KEY}={uid}"


def managed_selector() -> str:
    """The label selector of everything that the operator has created, for any run."""
    return f"{MANAGED_BY_KEY}={MANAGED_BY_VALUE}"
