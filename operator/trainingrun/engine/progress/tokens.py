"""Whose a token is: asks the API server and remembers the answer for a minute. Tokens are kept as hashes only."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from trainingrun.kube import Api

REMEMBERED_SECONDS = 60.0
# A token that is not valid may become so when keys or clocks have settled.
_REFUSED_SECONDS = 10.0
_MAX_REMEMBERED = 4096
_MAX_REVIEWS = 8
_MAX_TOKEN = 16 * 1024
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class Bearer:
    """The pod that a token is bound to."""

    namespace: str
    pod: str
    pod_uid: str


class TokenReviewer:
    """Reviews tokens for one audience, a few at a time whoever asks."""

    def __init__(self, api: Api, audience: str):
        self._api = api
        self._audience = audience
        self._clock = asyncio.get_running_loop().time
        self._known: OrderedDict[bytes, tuple[float, Bearer | None]] = OrderedDict()
        self._reviews = asyncio.Semaphore(_MAX_REVIEWS)

    async def bearer(self, token: str) -> Bearer | None:
        """The pod of a valid token that is bound to one, or None. Raises `ApiError` if the API server cannot tell."""
        if not token or len(token) > _MAX_TOKEN:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        if (known := self._recall(digest)) is not None:
            return known[1]
        async with self._reviews:
            # Another request with the same token may have asked while this one waited.
            if (known := self._recall(digest)) is not None:
                return known[1]
            bearer = self._judge(await self._api.review_token(token, self._audience))
        until = self._clock() + (REMEMBERED_SECONDS if bearer is not None else _REFUSED_SECONDS)
        self._known[digest] = until, bearer
        while len(self._known) > _MAX_REMEMBERED:
            self._known.popitem(last=False)
        return bearer

    def _recall(self, digest: bytes) -> tuple[float, Bearer | None] | None:
        known = self._known.get(digest)
        return known if known is not None and self._clock() < known[0] else None

    def _judge(self, status: dict[str, Any]) -> Bearer | None:
        user = status.get("user") or {}
        extra = user.get("extra") or {}
        pod, uid = extra.get(_POD_NAME) or [], extra.get(_POD_UID) or []
        is_valid = status.get("authenticated") is True and self._audience in (status.get("audiences") or ())
        username = str(user.get("username") or "")
        if not is_valid or not username.startswith(_ACCOUNT) or len(pod) != 1 or len(uid) != 1:
            return None
        return Bearer(namespace=username.removeprefix(_ACCOUNT).partition(":")[0], pod=pod[0], pod_uid=uid[0])
