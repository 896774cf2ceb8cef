"""What an API server's answers hold: JSON, and the changes of a watch. It must not ask for anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from trainingrun.kube.errors import Expired, Transient, error_of

Body = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """A part of a list. `resource_version` is that of the whole list, the same on every page."""

    items: list[Body]
    resource_version: str


def json_of(text: bytes) -> Body:
    """The object that an answer is. Raises `Transient` if it is none."""
    try:
        body: Body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        # A proxy's page, or a stream that was ended in the middle of an object.
        raise Transient(f"the answer is not JSON: {error}") from error
    return body


async def changes_of(lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, Body]]:
    """The changes of a watch as (type, object). Raises `Expired` when there is no going on from where it began."""
    async for line in lines:
        if not line.strip():
            continue
        change = json_of(line)
        body = change["object"]
        if change["type"] == "ERROR":
            code = int(body.get("code") or 500)
            if code == 410:
                raise Expired(str(body.get("message")), status=code, reason=str(body.get("reason") or ""))
            raise error_of(code, {}, orjson.dumps(body))
        yield change["type"], body
