"""Turns a refusal of the API server, in whatever words, into a reason that a person can look up."""

from __future__ import annotations

from trainingrun.conditions import Reason

# What the API server's admission plugins and authorizer write, most telling first.
_WORDS: tuple[tuple[str, Reason], ...] = (
    ("exceeded quota", Reason.QUOTA_EXCEEDED),
    ("failed quota", Reason.QUOTA_EXCEEDED),
    ("violates podsecurity", Reason.POD_SECURITY_DENIED),
    ("admission webhook", Reason.ADMISSION_DENIED),
    ("validatingadmissionpolicy", Reason.ADMISSION_DENIED),
    ("cannot create resource", Reason.PERMISSION_DENIED),
    ("cannot delete resource", Reason.PERMISSION_DENIED),
    ("no matches for kind", Reason.RAY_UNAVAILABLE),
    ("could not find the requested resource", Reason.RAY_UNAVAILABLE),
)
_REASONS = {
    "NameConflict": Reason.NAME_CONFLICT,
    "NotFound": Reason.RAY_UNAVAILABLE,
    "Invalid": Reason.RENDER_REJECTED,
    "BadRequest": Reason.RENDER_REJECTED,
}


def refusal_reason(reason: str, message: str) -> Reason:
    """The reason for the words of a refusal: the API server's own reason alone says little (Forbidden)."""
    lowered = message.lower()
    found = next((known for words, known in _WORDS if words in lowered), None)
    return found or _REASONS.get(reason, Reason.REFUSED)
