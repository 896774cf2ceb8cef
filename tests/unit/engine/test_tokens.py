"""Tokens are reviewed by the API server, the answer is remembered for a while, and the token itself never is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
import virtual_time
from answering import Connection

from trainingrun.engine.progress.tokens import Bearer, TokenReviewer
from trainingrun.kube import Api, Transient
from trainingrun.kube.transport import Request, Response

AUDIENCE = "trainingrun.dev"
USER = {
    "username": "system:serviceaccount:team:trainer",
    "extra": {
        "authentication.kubernetes.io/pod-name": ["mnist-head"],
        "authentication.kubernetes.io/pod-uid": ["pod-1"],
    },
}


class Reviews:
    """An API server that reviews; `valid` tokens are those of one pod."""

    def __init__(self) -> None:
        self.connection = Connection()
        self.connection.meddle = self._review
        self.valid = {"good"}
        self.is_away = False
        self.reviewer = TokenReviewer(Api(self.connection), AUDIENCE)

    def _review(self, request: Request) -> Response:
        if self.is_away:
            return Response(503, {}, b"")
        is_valid = dict(request.body or {})["spec"]["token"] in self.valid
        status = {"authenticated": True, "audiences": [AUDIENCE], "user": USER} if is_valid else {}
        return Response(201, {}, json.dumps({"status": status}).encode())

    @property
    def count(self) -> int:
        return len(self.connection.sent)


def play(script: Callable[[Reviews], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(Reviews())

    virtual_time.run(main())


def test_a_token_names_its_pod() -> None:
    async def script(reviews: Reviews) -> None:
        assert await reviews.reviewer.bearer("good") == Bearer("team", "mnist-head", "pod-1")

    play(script)


@pytest.mark.parametrize(
    ("token", "seconds", "expected"),
    [("good", 59, 1), ("good", 61, 2), ("bad", 9, 1), ("bad", 11, 2)],
)
def test_an_answer_is_remembered_for_a_while(token: str, seconds: float, expected: int) -> None:
    async def script(reviews: Reviews) -> None:
        for _ in range(3):
            await reviews.reviewer.bearer(token)
        await asyncio.sleep(seconds)
        await reviews.reviewer.bearer(token)
        assert reviews.count == expected

    play(script)


@pytest.mark.parametrize("token", ["", "x" * 20_000])
def test_what_cannot_be_a_token_is_not_asked_about(token: str) -> None:
    async def script(reviews: Reviews) -> None:
        assert await reviews.reviewer.bearer(token) is None and reviews.count == 0

    play(script)


def test_a_server_that_is_away_is_no_answer_and_is_not_remembered() -> None:
    async def script(reviews: Reviews) -> None:
        reviews.is_away = True
        with pytest.raises(Transient):
            await reviews.reviewer.bearer("good")
        reviews.is_away = False
        assert await reviews.reviewer.bearer("good") is not None

    play(script)


def test_a_flood_of_wrong_tokens_is_asked_about_a_few_at_a_time_and_not_all_remembered() -> None:
    async def script(reviews: Reviews) -> None:
        await asyncio.gather(*(reviews.reviewer.bearer(f"bad-{number}") for number in range(80)))
        times = [round(time, 3) for time, _ in reviews.connection.sent]
        assert max(times.count(time) for time in times) == 8

    play(script)


def test_no_token_is_kept() -> None:
    async def script(reviews: Reviews) -> None:
        await reviews.reviewer.bearer("good")
        assert "good" not in repr(vars(reviews.reviewer))

    play(script)
