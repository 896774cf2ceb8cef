"""Asks Kueue why it holds a RayJob back: the conditions of its Workload say so. It must not decide when to ask.

Kueue may not be there, be older than this kind, or not be readable: then nothing is known of it, and nothing fails.
"""

from __future__ import annotations

from datetime import datetime

from trainingrun.engine.cache import Cache
from trainingrun.kube import Api, ApiError, Transient
from trainingrun.kube.resources import WORKLOADS
from trainingrun.observed import QueueAnswer, RunObject, queue_message_of

# Kueue's label on a Workload: the uid of what it is made for.
_JOB_UID_KEY = "kueue.x-k8s.io/job-uid"


async def ask_queue(api: Api, cache: Cache, run: RunObject, ray_job_uid: str, now: datetime) -> None:
    """Have the cache know what Kueue says of a run's RayJob."""
    is_unknown = False
    try:
        workloads = await api.list(WORKLOADS, run.namespace, selector=f"{_JOB_UID_KEY}={ray_job_uid}")
        message, is_unknown = queue_message_of(workloads), not workloads
    except Transient:
        before = cache.observed(run.uid).queue
        message = before.message if before is not None and before.ray_job_uid == ray_job_uid else None
    except ApiError:
        message = None
    if cache.run_by_uid(run.uid) is not None:
        cache.answers.note_queue(run.uid, QueueAnswer(ray_job_uid, message, now, is_unknown))
