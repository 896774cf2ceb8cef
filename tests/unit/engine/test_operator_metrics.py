"""What is measured, by the names that dashboards and alerts use."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import virtual_time
from answering import NAMESPACE, Connection, child_body, run_body
from prometheus_client.parser import text_string_to_metric_families

from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.keys import Key
from trainingrun.engine.metrics import Metrics, requests_made
from trainingrun.engine.settings import Settings
from trainingrun.kube import Api, NotFound, Transient
from trainingrun.kube.resources import PODS, WATCHED
from trainingrun.kube.transport import Request


def play(script: Callable[[Parts, Connection], Awaitable[None]], **settings: object) -> None:
    async def main() -> None:
        connection = Connection()
        chosen = Settings(lease_namespace="system", **settings)  # type: ignore[arg-type]
        await script(assemble(chosen, connection, now=virtual_time.now, jitter=lambda: 1.0), connection)

    virtual_time.run(main())


def value(parts: Parts, name: str, **labels: str) -> float | None:
    return parts.metrics.registry.get_sample_value(f"trainingrun_{name}", labels)


def test_requests_are_counted_by_verb_resource_and_answer() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        with pytest.raises(NotFound):
            await parts.api.get(PODS, NAMESPACE, "none")

        def away(request: Request) -> None:
            raise Transient("connection refused")

        connection.meddle = away
        with pytest.raises(Transient):
            await parts.api.get(PODS, NAMESPACE, "none")
        for code in ("404", "0"):
            assert value(parts, "api_requests_total", verb="get", resource="pods", code=code) == 1

    play(script)


def test_a_look_knows_its_own_requests_and_no_other_s() -> None:
    async def looking(api: Api, count: int) -> list[str]:
        made: list[str] = []
        requests_made.set(made)
        for _ in range(count):
            await api.list(PODS)
        return made

    async def script(parts: Parts, connection: Connection) -> None:
        made = await asyncio.gather(looking(parts.api, 1), looking(parts.api, 3))
        assert made == [["list pods"], ["list pods"] * 3]

    play(script)


def test_the_queue_and_the_cache_are_measured_when_they_are_asked_for() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        parts.intake.take("TrainingRun", "ADDED", run_body())
        parts.intake.take("Pod", "ADDED", child_body("pod"))
        await asyncio.sleep(3)
        parts.queue.add(Key(NAMESPACE, "other"))
        assert (value(parts, "queue_depth"), value(parts, "queue_oldest_seconds")) == (2, 3)
        assert value(parts, "cache_objects", kind="Pod") == 1
        assert value(parts, "last_event_age_seconds", kind="Pod") == 3
        assert value(parts, "last_event_age_seconds", kind="RayJob") == float("inf")

    play(script)


def test_the_age_of_each_watch_is_measured() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        assert value(parts, "watch_age_seconds", kind="Pod") == float("inf")
        watching = asyncio.create_task(parts.informers.keep())
        await asyncio.sleep(7.5)
        assert 7 < value(parts, "watch_age_seconds", kind="Pod") < 7.5
        watching.cancel()

    play(script)


def test_namespaces_that_cannot_be_served_are_counted_by_the_replica_that_acts() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        assert parts.lease is not None and value(parts, "namespaces_unserved") == 0
        await parts.lease.acquire()
        assert value(parts, "namespaces_unserved") == 1
        await parts.informers.first()
        assert value(parts, "namespaces_unserved") == 0

    play(script)


@pytest.mark.parametrize(("leader_election", "before"), [(True, 0), (False, 1)])
def test_whether_the_replica_acts_is_measured(leader_election: bool, before: float) -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        assert value(parts, "leader") == before
        if parts.lease is not None:
            await parts.lease.acquire()
        assert value(parts, "leader") == 1

    play(script, leader_election=leader_election)


def test_no_metric_has_a_series_for_each_run() -> None:
    """There may be thousands."""

    async def script(parts: Parts, connection: Connection) -> None:
        for number in range(50):
            parts.intake.take("TrainingRun", "ADDED", run_body(f"run-{number}", f"uid-{number}", number + 1))
        text = parts.metrics.text().decode()
        assert "run-7" not in text
        labels = {name for family in text_string_to_metric_families(text) for s in family.samples for name in s.labels}
        assert labels <= {"result", "verb", "resource", "code", "kind", "le"}

    play(script)


def test_every_watched_kind_has_its_series() -> None:
    async def script(parts: Parts, connection: Connection) -> None:
        for resource in WATCHED:
            assert value(parts, "cache_objects", kind=resource.kind) == 0

    play(script)


def test_two_operators_in_one_process_do_not_share_figures() -> None:
    first, second = Metrics(), Metrics()
    first.repairs.inc()
    assert second.registry.get_sample_value("trainingrun_resync_repairs_total") == 0
