"""What a token says of itself, unverified: whoever made it chose the words, so they can only speak against it. Pure.

What is hopeless by its own words is refused here, for nothing, so that the API server need not be asked.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trainingrun.observed import Pod
from trainingrun.status.json_values import mapping_of, number_of

_MAX_TOKEN = 16 * 1024
# The API server's clock decides; ours only refuses what has long been over. A kubelet renews tokens sooner.
_LENIENCE = timedelta(minutes=10)


@dataclass(frozen=True)
class Bearer:
    """The pod that a token is bound to."""

    namespace: str
    pod: str
    pod_uid: str


def claimed_bearer(token: str, audience: str, now: datetime) -> Bearer | None:
    """The pod that the token claims to be bound to; None if no API server could find it valid for this audience."""
    claims = _claims(token)
    audiences = claims.get("aud")
    if audience not in (audiences if isinstance(audiences, list) else [audiences]):
        return None
    expires = number_of(claims.get("exp"))
    if expires is None or expires < (now - _LENIENCE).timestamp():
        return None
    bound = mapping_of(claims.get("kubernetes.io"))
    pod = mapping_of(bound.get("pod"))
    words = bound.get("namespace"), pod.get("name"), pod.get("uid")
    if not all(isinstance(word, str) and word for word in words):
        return None
    return Bearer(*map(str, words))


def contradicts(claimed: Bearer, pod: Pod) -> bool:
    """Whether the claims cannot be those of the pod that has their uid."""
    return (claimed.namespace, claimed.pod) != (pod.namespace, pod.name)


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JSON Web Token; empty for anything else."""
    parts = token.split(".") if len(token) <= _MAX_TOKEN else []
    if len(parts) != 3 or not all(parts):
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
