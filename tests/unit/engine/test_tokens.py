"""Tokens are reviewed by the API server, the answer is remembered for a while, and the token itself never is.

Whoever cannot be told from a stranger costs few reviews, and takes nothing from those who are known.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
import virtual_time
from answering import Connection
from made_tokens import AUDIENCE, bound_to, token
from seen_objects import pod

from trainingrun.engine.progress.callers import MOST_WASTED, Callers, TooManyRefusals
from trainingrun.engine.progress.claims import Bearer
from trainingrun.engine.progress.tokens import MOST_WAITING, Busy, TokenReviewer
from trainingrun.kube import Api, Transient
from trainingrun.kube.transport import Request, Response
from trainingrun.observed import Pod

GOOD, BAD = token(), token("bad")
ADDRESS = "10.0.0.1"
MINE = pod(namespace="team", name="mnist-head", uid="pod-1")
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
        self.valid = {GOOD}
        self.is_away = False
        self.known: dict[str, Pod] = {}
        self.reviewer = TokenReviewer(
            Api(self.connection), AUDIENCE, Callers(), lambda uid: self.known.get(uid), virtual_time.now
        )

    def _review(self, request: Request) -> Response:
        if self.is_away:
            return Response(503, {}, b"")
        is_valid = dict(request.body or {})["spec"]["token"] in self.valid
        status = {"authenticated": True, "audiences": [AUDIENCE], "user": USER} if is_valid else {}
        return Response(201, {}, json.dumps({"status": status}).encode())

    async def bearer(self, text: str, address: str = ADDRESS) -> Bearer | None:
        return await self.reviewer.bearer(text, address)

    @property
    def count(self) -> int:
        return len(self.connection.sent)


def play(script: Callable[[Reviews], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(Reviews())

    virtual_time.run(main())


def test_a_token_names_its_pod() -> None:
    async def script(reviews: Reviews) -> None:
        assert await reviews.bearer(GOOD) == Bearer("team", "mnist-head", "pod-1")

    play(script)


@pytest.mark.parametrize(
    ("text", "seconds", "expected"),
    [(GOOD, 59, 1), (GOOD, 61, 2), (BAD, 9, 1), (BAD, 11, 2)],
)
def test_an_answer_is_remembered_for_a_while(text: str, seconds: float, expected: int) -> None:
    async def script(reviews: Reviews) -> None:
        for _ in range(3):
            await reviews.bearer(text)
        await asyncio.sleep(seconds)
        await reviews.bearer(text)
        assert reviews.count == expected

    play(script)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "junk",
        "a.b.c",
        token("x" * 20_000),
        token(aud=["vault"]),
        token(aud="vault"),
        token(exp=int(virtual_time.EPOCH.timestamp()) - 3600),
        token(exp="soon"),
        token(exp=1e400),
        token(**{"kubernetes.io": {"namespace": "team", "serviceaccount": {"name": "default"}}}),
        token(**bound_to("team", "", "pod-1")),
        token(**bound_to("team", "another", "pod-1")),
        token(**bound_to("elsewhere", "mnist-head", "pod-1")),
    ],
)
def test_a_token_that_speaks_against_itself_is_not_asked_about(text: str) -> None:
    async def script(reviews: Reviews) -> None:
        reviews.known["pod-1"] = MINE
        assert await reviews.bearer(text) is None and reviews.count == 0

    play(script)


def test_a_token_for_several_audiences_or_one_that_has_just_ended_is_asked_about() -> None:
    async def script(reviews: Reviews) -> None:
        texts = [token(aud=["vault", AUDIENCE]), token(aud=AUDIENCE), token(exp=virtual_time.EPOCH.timestamp() - 1)]
        reviews.valid |= set(texts)
        assert None not in [await reviews.bearer(text) for text in texts]

    play(script)


def test_a_server_that_is_away_is_no_answer_and_is_not_remembered() -> None:
    async def script(reviews: Reviews) -> None:
        reviews.is_away = True
        with pytest.raises(Transient):
            await reviews.bearer(GOOD)
        reviews.is_away = False
        assert await reviews.bearer(GOOD) is not None

    play(script)


def test_a_flood_of_wrong_tokens_is_asked_about_a_few_at_a_time() -> None:
    async def script(reviews: Reviews) -> None:
        wrong = (reviews.bearer(token(f"bad-{number}"), f"10.0.0.{number}") for number in range(MOST_WAITING))
        await asyncio.gather(*wrong)
        times = [round(time, 3) for time, _ in reviews.connection.sent]
        assert max(times.count(time) for time in times) == 8

    play(script)


def test_of_a_caller_that_only_wastes_reviews_few_tokens_are_asked_about_in_a_minute() -> None:
    async def script(reviews: Reviews) -> None:
        refused = await asyncio.gather(
            *(reviews.bearer(token(f"bad-{number}")) for number in range(60)), return_exceptions=True
        )
        assert [type(each) for each in refused].count(TooManyRefusals) >= 60 - MOST_WASTED - 8
        with pytest.raises(TooManyRefusals):
            await reviews.bearer(GOOD)
        assert await reviews.bearer(GOOD, "10.0.0.2") is not None
        before = reviews.count
        await asyncio.sleep(61)
        assert await reviews.bearer(token("bad")) is None and reviews.count == before + 1

    play(script)


def test_a_known_pod_does_not_suffer_for_what_others_send_from_its_address() -> None:
    async def script(reviews: Reviews) -> None:
        reviews.known["pod-1"] = MINE
        for number in range(MOST_WASTED):
            await reviews.bearer(token(f"bad-{number}", **bound_to("team", "stranger", "pod-2")))
        with pytest.raises(TooManyRefusals):
            await reviews.bearer(token("more", **bound_to("team", "stranger", "pod-2")))
        assert await reviews.bearer(GOOD) is not None

    play(script)


def test_refused_tokens_do_not_drive_out_what_is_known_of_good_ones() -> None:
    async def script(reviews: Reviews) -> None:
        await reviews.bearer(GOOD)
        reviews.connection.meddle = lambda request: Response(201, {}, b"{}")
        for number in range(5000):
            await reviews.bearer(token(f"bad-{number}"), str(number // 10))
        before = reviews.count
        assert await reviews.bearer(GOOD) is not None and reviews.count == before

    play(script)


def test_not_more_than_a_few_wait_for_their_review() -> None:
    async def script(reviews: Reviews) -> None:
        flood = [
            asyncio.create_task(reviews.bearer(token(f"bad-{number}"), str(number))) for number in range(MOST_WAITING)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await reviews.bearer(GOOD)
        await asyncio.gather(*flood)
        assert await reviews.bearer(GOOD) is not None

    play(script)


def test_callers_are_not_all_remembered() -> None:
    async def script(reviews: Reviews) -> None:
        callers = Callers()
        for number in range(3000):
            callers.refused(str(number))
        assert len(callers._wasted) <= 1024

    play(script)


def test_no_token_is_kept() -> None:
    async def script(reviews: Reviews) -> None:
        await reviews.bearer(GOOD)
        assert GOOD not in repr(vars(reviews.reviewer))

    play(script)
