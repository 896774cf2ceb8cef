"""Tells from what Ray raises which objects were lost: some node has gone, with all that was only there."""

from __future__ import annotations

import ray


def lost_objects(error: BaseException) -> set[str]:
    """The ids, as Ray prints them, of the objects whose loss has led to `error`; empty if it was something else."""
    cause: BaseException | None = error
    while isinstance(cause, ray.exceptions.RayTaskError):
        cause = cause.cause if isinstance(cause.cause, BaseException) else None
    return {cause.object_ref_hex} if isinstance(cause, ray.exceptions.ObjectLostError) else set()
