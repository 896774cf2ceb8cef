"""What the API server's audit log says about attempts: that no two of a run were ever alive at the same time."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

_CHANGES = ("create", "delete")


def overlaps(log: Path, namespace: str, run: str) -> list[str]:
    """Sentences about attempts that began before every pod of the one before was gone; none is as it should be."""
    events = [event for event in map(json.loads, log.read_text().splitlines()) if _is_about(event, namespace, run)]
    found: list[str] = []
    jobs = [event["objectRef"]["name"] for event in events if _is(event, "create", "rayjobs")]
    for earlier, later in itertools.pairwise(jobs):
        began = _last(events, "create", "rayjobs", later)
        gone = _last(events, "delete", "pods", earlier)
        if began <= gone:
            found.append(f"{later} began at {began}, the last pod of {earlier} went at {gone}")
    return found


def _last(events: list[dict[str, Any]], verb: str, resource: str, name: str) -> str:
    # Times of one format in one zone compare as text.
    times = [e["stageTimestamp"] for e in events if _is(e, verb, resource) and e["objectRef"]["name"].startswith(name)]
    return max(times, default="")


def _is(event: dict[str, Any], verb: str, resource: str) -> bool:
    return bool(event["verb"] == verb and event["objectRef"]["resource"] == resource)


def _is_about(event: dict[str, Any], namespace: str, run: str) -> bool:
    about = event.get("objectRef", {})
    return bool(
        event["verb"] in _CHANGES
        and event.get("responseStatus", {}).get("code", 500) < 300
        and about.get("namespace") == namespace
        and about.get("name", "").startswith(run)
    )
