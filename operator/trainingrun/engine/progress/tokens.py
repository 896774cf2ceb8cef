"""Whose a token is: asks the API server and remembers the answer for a while. Tokens are kept as hashes only.

Whoever can reach the endpoint can send tokens, so what is not worth a question is refused by its own claims, callers
that only waste questions are not asked about any more, and few may wait for an answer. What was refused is remembered
apart from what is good, which it can therefore never drive out.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from trainingrun.engine.progress.callers import Callers
from trainingrun.engine.progress.claims import Bearer, claimed_bearer, contradicts
from trainingrun.kube import Api
from trainingrun.observed import Pod

T = TypeVar("T")

REMEMBERED_SECONDS = 60.0
# A token that is not valid may become so when keys or clocks have settled.
_REFUSED_SECONDS = 10.0
# One for each run that an operator can serve, and some.
_MOST_GOOD, _MOST_REFUSED = 16_384, 1024
_MOST_REVIEWS = 8
MOST_WAITING = 64
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
_ACCOUNT = "system:serviceaccount:"


class Busy(Exception):
    """So many tokens wait to be reviewed that this one is not taken."""


class _Memory(Generic[T]):
    """Answers by the hash of the token, each for so many seconds, and at most so many."""

    def __init__(self, seconds: float, most: int):
        self._seconds = seconds
        self._most = most
        self._clock = asyncio.get_running_loop().time
        self._answers: OrderedDict[bytes, tuple[float, T]] = OrderedDict()

    def get(self, digest: bytes) -> T | None:
        until, answer = self._answers.get(digest, (0.0, None))
        return answer if self._clock() < until else None

    def put(self, digest: bytes, answer: T) -> None:
        self._answers.pop(digest, None)
        self._answers[digest] = self._clock() + self._seconds, answer
        while len(self._answers) > self._most:
            self._answers.popitem(last=False)


class TokenReviewer:
    """Reviews tokens for one audience, a few at a time whoever asks. `known_pod` finds a pod of a run by its uid."""

    def __init__(
        self,
        api: Api,
        audience: str,
        callers: Callers,
        known_pod: Callable[[str], Pod | None],
        now: Callable[[], datetime],
    ):
        self._api = api
        self._audience = audience
        self._callers = callers
        self._known_pod = known_pod
        self._now = now
        self._good: _Memory[Bearer] = _Memory(REMEMBERED_SECONDS, _MOST_GOOD)
        self._refused: _Memory[bool] = _Memory(_REFUSED_SECONDS, _MOST_REFUSED)
        self._reviews = asyncio.Semaphore(_MOST_REVIEWS)
        self._waiting = 0

    async def bearer(self, token: str, address: str) -> Bearer | None:
        """The pod of a valid token that is bound to one, or None.

        Raises `ApiError` if the API server cannot tell, `Busy` and `TooManyRefusals` if it is not asked.
        """
        claimed = claimed_bearer(token, self._audience, self._now())
        if claimed is None:
            return None
        pod = self._known_pod(claimed.pod_uid)
        if pod is not None and contradicts(claimed, pod):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        if (good := self._good.get(digest)) is not None or self._refused.get(digest):
            return good
        # Others behind the same address do not suffer for it, as long as they are known.
        caller = address if pod is None else f"{address} {claimed.pod_uid}"
        self._callers.require(caller)
        if self._waiting >= MOST_WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._reviews:
                return await self._review(token, digest, caller)
        finally:
            self._waiting -= 1

    async def _review(self, token: str, digest: bytes, caller: str) -> Bearer | None:
        # Another request with the same token may have asked while this one waited, and others of this caller as well.
        if (good := self._good.get(digest)) is not None or self._refused.get(digest):
            return good
        self._callers.require(caller)
        bearer = self._judge(await self._api.review_token(token, self._audience))
        if bearer is None:
            self._refused.put(digest, True)
            self._callers.refused(caller)
        else:
            self._good.put(digest, bearer)
        return bearer

    def _judge(self, status: dict[str, Any]) -> Bearer | None:
        user = status.get("user") or {}
        extra = user.get("extra") or {}
        pod, uid = extra.get(_POD_NAME) or [], extra.get(_POD_UID) or []
        is_valid = status.get("authenticated") is True and self._audience in (status.get("audiences") or ())
        username = str(user.get("username") or "")
        if not is_valid or not username.startswith(_ACCOUNT) or len(pod) != 1 or len(uid) != 1:
            return None
        return Bearer(namespace=username.removeprefix(_ACCOUNT).partition(":")[0], pod=pod[0], pod_uid=uid[0])
