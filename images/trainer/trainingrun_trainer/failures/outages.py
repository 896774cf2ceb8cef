"""Tells an outage from wrong data: whether trying again may help after a store, a network or a file server has failed.

By what exceptions are and by their names, since no client of a store need be installed. What is missing, forbidden or
unreadable is no outage.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

_ERRNOS = frozenset(
    {
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.EPIPE,
        errno.ETIMEDOUT,
        # What s3fs makes of SlowDown, ServiceUnavailable and InternalError, and a volume of a lost file server.
        errno.EBUSY,
        errno.EREMOTEIO,
        errno.EIO,
        errno.ESTALE,
    }
)
# Of botocore, aiohttp, requests and urllib3, and the clients of Google's and Azure's stores.
_NAMES = frozenset(
    {
        "ChunkedEncodingError",
        "ClientConnectionError",
        "ClientPayloadError",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "ConnectionError",
        "EndpointConnectionError",
        "FSTimeoutError",
        "HTTPClientError",
        "IncompleteRead",
        "IncompleteReadError",
        "ProtocolError",
        "ReadTimeout",
        "ReadTimeoutError",
        "ResponseStreamingError",
        "ServiceRequestError",
        "ServiceResponseError",
        "TransportError",
    }
)
_BUSY = frozenset({408, 429, 500, 502, 503, 504})


def outage_of(error: BaseException) -> BaseException | None:
    """The first outage among `error` and what has led to it, or None."""
    return next((cause for cause in _with_causes(error) if is_outage(cause)), None)


def is_outage(error: BaseException) -> bool:
    """Whether `error` itself says that something could not be reached, broke off, or was too busy."""
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return True
    return _http_status(error) in _BUSY or any(kind.__name__ in _NAMES for kind in type(error).__mro__)


def _http_status(error: BaseException) -> Any:
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's
        return response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return next(
        (value for name in ("status", "status_code", "code") if isinstance(value := getattr(error, name, None), int)),
        None,
    )


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and all(current is not one for one in seen):
        seen.append(current)
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
