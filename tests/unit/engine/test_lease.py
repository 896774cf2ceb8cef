"""Of several replicas one acts: who takes the Lease, when it passes on, and that nobody acts on a lease gone by."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import virtual_time
from answering import Connection, never
from server import Server

from trainingrun.engine.lease import LeadershipLost, Lease, LeaseSettings
from trainingrun.kube import Api, Transient
from trainingrun.kube.transport import Request

NAMESPACE, NAME = "system", "trainingrun-operator"


class Replicas:
    """Replicas that share an API server, each with a connection of its own."""

    def __init__(self) -> None:
        self.server = Server()
        self.connections: dict[str, Connection] = {}

    def add(self, identity: str) -> Lease:
        connection = self.connections[identity] = Connection(self.server)
        settings = LeaseSettings(NAMESPACE, NAME, identity)
        return Lease(Api(connection), settings, virtual_time.now)

    def spec(self) -> dict[str, Any]:
        body = self.server.find("leases", NAMESPACE, NAME)
        assert body is not None
        spec: dict[str, Any] = body["spec"]
        return spec

    def cut_off(self, identity: str) -> None:
        """Its requests are lost from now on."""
        self.connections[identity].meddle = never


def clock() -> float:
    return asyncio.get_running_loop().time()


def play(script: Callable[[Replicas], Awaitable[None]]) -> None:
    async def main() -> None:
        await script(Replicas())

    virtual_time.run(main())


async def until_lost(lease: Lease) -> float:
    with pytest.raises(LeadershipLost):
        await lease.keep()
    return clock()


def test_the_first_replica_makes_the_lease_and_leads() -> None:
    async def script(replicas: Replicas) -> None:
        lease = replicas.add("a")
        assert not lease.is_leading and not lease.is_known
        await lease.acquire()
        assert lease.is_leading and lease.is_known
        expected = {"holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 0}
        assert expected.items() <= replicas.spec().items()

    play(script)


def test_another_replica_waits_and_is_a_good_standby() -> None:
    async def script(replicas: Replicas) -> None:
        first, second = replicas.add("a"), replicas.add("b")
        await first.acquire()
        keeping = asyncio.create_task(first.keep())
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(120)
        assert (first.is_leading, second.is_leading, second.is_known) == (True, False, True)
        assert not waiting.done() and "PUT" not in {r.method for _, r in replicas.connections["b"].sent}
        keeping.cancel()
        waiting.cancel()

    play(script)


def test_who_does_not_lead_is_stopped_before_a_write() -> None:
    async def script(replicas: Replicas) -> None:
        with pytest.raises(LeadershipLost):
            replicas.add("a").ensure_leading()

    play(script)


def test_a_lease_that_is_not_renewed_passes_on_after_its_leader_has_given_up() -> None:
    async def script(replicas: Replicas) -> None:
        first, second = replicas.add("a"), replicas.add("b")
        await first.acquire()
        lost = asyncio.create_task(until_lost(first))
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(30)
        replicas.cut_off("a")
        cut = clock()
        given_up = await lost
        assert not waiting.done() and given_up - cut <= 10 + 5
        await waiting
        assert given_up < clock() <= cut + 15 + 2 + 1
        assert replicas.spec()["leaseTransitions"] == 1

    play(script)


def test_a_leader_that_was_stopped_for_a_while_may_not_write_when_it_goes_on() -> None:
    """It judges itself by its own clock, before it has asked anyone."""

    async def script(replicas: Replicas) -> None:
        lease = replicas.add("a")
        await lease.acquire()
        await asyncio.sleep(9.9)
        lease.ensure_leading()
        await asyncio.sleep(0.2)
        with pytest.raises(LeadershipLost):
            lease.ensure_leading()

    play(script)


def test_a_leader_whose_lease_was_taken_ends_at_its_next_look() -> None:
    async def script(replicas: Replicas) -> None:
        lease = replicas.add("a")
        await lease.acquire()
        body = replicas.server.find("leases", NAMESPACE, NAME)
        assert body is not None
        replicas.server.update("leases", body, spec={**body["spec"], "holderIdentity": "b"})
        assert await until_lost(lease) < 5
        assert replicas.spec()["holderIdentity"] == "b"

    play(script)


def test_a_renewal_whose_answer_is_lost_does_not_end_the_leader() -> None:
    async def script(replicas: Replicas) -> None:
        lease, connection = replicas.add("a"), replicas.connections["a"]
        await lease.acquire()
        keeping = asyncio.create_task(lease.keep())
        lost = 0

        def lose_one_answer(request: Request) -> None:
            nonlocal lost
            if request.method == "PUT" and not lost:
                lost += 1
                replicas.server.handle(request)
                raise Transient("no answer in time")

        connection.meddle = lose_one_answer
        await asyncio.sleep(60)
        assert lost == 1 and lease.is_leading and not keeping.done()
        keeping.cancel()

    play(script)


@pytest.mark.parametrize("seconds", [3, 7])
def test_a_server_that_is_away_for_a_moment_does_not_end_the_leader(seconds: float) -> None:
    async def script(replicas: Replicas) -> None:
        lease, connection = replicas.add("a"), replicas.connections["a"]
        await lease.acquire()
        keeping = asyncio.create_task(lease.keep())
        await asyncio.sleep(30.5)

        def refuse(request: Request) -> None:
            raise Transient("connection refused")

        connection.meddle = refuse
        await asyncio.sleep(seconds)
        connection.meddle = lambda request: None
        await asyncio.sleep(30)
        assert lease.is_leading and not keeping.done()
        keeping.cancel()

    play(script)


def test_a_leader_that_ends_lets_another_one_lead_at_once() -> None:
    async def script(replicas: Replicas) -> None:
        first, second = replicas.add("a"), replicas.add("b")
        await first.acquire()
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(5)
        released = clock()
        await first.release()
        assert not first.is_leading
        await waiting
        assert clock() - released < 3

    play(script)


def test_who_does_not_lead_releases_nothing() -> None:
    async def script(replicas: Replicas) -> None:
        first, second = replicas.add("a"), replicas.add("b")
        await first.acquire()
        await second.release()
        assert replicas.spec()["holderIdentity"] == "a" and replicas.connections["b"].sent == []

    play(script)


def test_replicas_that_start_together_never_lead_together() -> None:
    async def script(replicas: Replicas) -> None:
        leases = [replicas.add(identity) for identity in "abc"]
        tasks = [asyncio.create_task(lease.acquire()) for lease in leases]
        await asyncio.sleep(3)
        assert [lease.is_leading for lease in leases].count(True) == 1
        for task in tasks:
            task.cancel()

    play(script)
