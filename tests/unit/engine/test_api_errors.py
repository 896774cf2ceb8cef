"""Answers of the API server become errors that say what the caller can do."""

from __future__ import annotations

import json

import pytest
import virtual_time
from answering import Connection

from trainingrun.kube import AlreadyExists, Api, ApiError, Conflict, Expired, Forbidden, NotFound, Rejected, Transient
from trainingrun.kube import Unauthorized as NotAccepted
from trainingrun.kube.errors import error_of
from trainingrun.kube.resources import PODS
from trainingrun.kube.transport import Response


def status(reason: str, **details: object) -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": "why", "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", Rejected),
        (401, "Unauthorized", NotAccepted),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "Conflict", Conflict),
        (409, "AlreadyExists", AlreadyExists),
        (410, "Expired", Expired),
        (415, "UnsupportedMediaType", Rejected),
        (422, "Invalid", Rejected),
        (429, "TooManyRequests", Transient),
        (500, "InternalError", Transient),
        (503, "ServiceUnavailable", Transient),
        (504, "Timeout", Transient),
    ],
)
def test_each_answer_has_its_error(code: int, reason: str, kind: type[ApiError]) -> None:
    error = error_of(code, {}, status(reason))
    assert (type(error), error.status, error.reason, str(error)) == (kind, code, reason, f"{code} {reason}: why")


@pytest.mark.parametrize(
    ("headers", "details", "expected"),
    [
        ({"Retry-After": "3"}, {}, 3.0),
        ({}, {"retryAfterSeconds": 7}, 7.0),
        ({"Retry-After": "3"}, {"retryAfterSeconds": 7}, 3.0),
        ({"Retry-After": "99999"}, {}, 300.0),
        ({"Retry-After": "-1"}, {}, None),
        ({"Retry-After": "Tue, 01 Sep 2026 12:00:00 GMT"}, {}, None),
        ({}, {}, None),
    ],
)
def test_when_to_try_again_is_what_the_server_says_within_reason(
    headers: dict[str, str], details: dict[str, object], expected: float | None
) -> None:
    error = error_of(429, headers, status("TooManyRequests", **details))
    assert isinstance(error, Transient) and error.retry_after == expected


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[]", b"null", b"\xff\xfe", b'{"kind": "Pod"}'])
def test_an_answer_of_somebody_else_is_an_error_too(body: bytes) -> None:
    error = error_of(502, {}, body)
    assert type(error) is Transient and len(error.message) <= 500 and error.message


@pytest.mark.parametrize("body", [b"", b"<html>please log in</html>", b'{"kind": "Pod'])
def test_an_answer_that_is_not_json_is_a_passing_fault(body: bytes) -> None:
    async def main() -> None:
        connection = Connection()
        connection.meddle = lambda request: Response(200, {}, body)
        with pytest.raises(Transient, match="not JSON"):
            await Api(connection).get(PODS, "team", "head")

    virtual_time.run(main())
