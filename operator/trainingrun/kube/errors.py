"""What can go wrong with a request to the API server, by what the caller can do about it.

No retries are made here: an error says when to retry, and the caller decides whether.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API server did not do what was asked. `status` is the HTTP status, 0 if there was no response."""

    def __init__(self, message: str, *, status: int = 0, reason: str = ""):
        self.message = message
        self.status = status
        self.reason = reason
        origin = " ".join(filter(None, (str(status or ""), reason)))
        super().__init__(f"{origin}: {message}" if status else message)


class Transient(ApiError):
    """Retry later: `retry_after` seconds from now if the server said when."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None):
        super().__init__(message, status=status, reason=reason)
        self.retry_after = retry_after


class Unauthorized(Transient):
    """The credentials were not accepted. Tokens are rotated, so this may heal."""


class Expired(Transient):
    """The resource version or the place in a list is too old: list again from the start."""


class Conflict(ApiError):
    """The object is not in the state that the request presumed: read it again."""


class AlreadyExists(Conflict):
    """An object of this name exists."""


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Forbidden(ApiError):
    """The server refuses the request: permission, quota or admission."""


class Rejected(ApiError):
    """The server does not accept what was sent; sending it again will not help."""


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error of an answer whose HTTP status is 400 or more. The body may be anything."""
    answer = _status_object(body)
    message = str(answer.get("message") or body[:500].decode(errors="replace") or "no explanation was given")
    reason = str(answer.get("reason") or "")
    if status == 429 or status >= 500:
        return Transient(message, status=status, reason=reason, retry_after=_retry_after(headers, answer))
    if status == 409 and reason == "AlreadyExists":
        return AlreadyExists(message, status=status, reason=reason)
    return _KINDS.get(status, Rejected)(message, status=status, reason=reason)


_KINDS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Expired,
}


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _retry_after(headers: Mapping[str, str], answer: Mapping[str, Any]) -> float | None:
    details = answer.get("details")
    said = headers.get("Retry-After") or (details.get("retryAfterSeconds") if isinstance(details, dict) else None)
    try:
        seconds = float(said) if said is not None else None
    except (TypeError, ValueError):
        return None
    return min(seconds, 300.0) if seconds is not None and seconds > 0 else None
