"""Creates the parts of the operator and connects them. Nothing here runs or talks to anything yet."""

from __future__ import annotations

import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from trainingrun.engine.cache import Cache
from trainingrun.engine.create_attempt import AttemptCreator
from trainingrun.engine.events import EventPoster
from trainingrun.engine.health import Heartbeat
from trainingrun.engine.informers import Informers
from trainingrun.engine.intake import Intake
from trainingrun.engine.keys import Key
from trainingrun.engine.lease import Lease, LeaseSettings
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.progress.writer import ProgressWriter
from trainingrun.engine.queue import WorkQueue
from trainingrun.engine.reconcile import Reconciler
from trainingrun.engine.run_metrics import RunMetrics
from trainingrun.engine.settings import InvalidSettings, Settings
from trainingrun.engine.worker import Worker
from trainingrun.kube import Api, own_namespace
from trainingrun.kube.resources import WATCHED
from trainingrun.kube.transport import Transport

_RANDOM = random.SystemRandom()


@dataclass(frozen=True)
class Parts:
    """What the operator consists of. `lease` is None without leader election."""

    settings: Settings
    api: Api
    lease: Lease | None
    metrics: Metrics
    cache: Cache
    queue: WorkQueue[Key]
    intake: Intake
    informers: Informers
    events: EventPoster
    worker: Worker
    writer: ProgressWriter
    heartbeat: Heartbeat


def now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def jitter() -> float:
    """A factor that spreads out what would otherwise happen at the same time."""
    return _RANDOM.uniform(0.8, 1.2)


def assemble(
    settings: Settings,
    transport: Transport,
    *,
    now: Callable[[], datetime] = now,
    jitter: Callable[[], float] = jitter,
) -> Parts:
    """The parts, for these settings. Only writes about runs wait for leadership; see `Lease.ensure_leading`."""
    metrics, cache = Metrics(), Cache()
    queue: WorkQueue[Key] = WorkQueue(jitter)
    intake = Intake(cache, queue)
    identity = f"{socket.gethostname()}_{secrets.token_hex(4)}"
    api = Api(transport, max_writes=settings.max_writes, observe=metrics.observe_request)
    # A renewal must not wait behind other writes.
    urgent = Api(transport, observe=metrics.observe_request)
    lease = Lease(urgent, lease_settings(settings, identity), now) if settings.leader_election else None
    leading = api.guarded(lease.ensure_leading) if lease is not None else api
    events = EventPoster(api, now, identity)
    creator = AttemptCreator(leading, cache, settings.render_settings())
    runs = _run_metrics(settings, metrics, now)
    parts = Parts(
        settings=settings,
        api=api,
        lease=lease,
        metrics=metrics,
        cache=cache,
        queue=queue,
        intake=intake,
        informers=Informers(api, intake, metrics, settings.namespaces or (None,), jitter),
        events=events,
        worker=Worker(Reconciler(leading, cache, creator, events, now), cache, queue, metrics, runs),
        writer=ProgressWriter(api, cache, now),
        heartbeat=Heartbeat(),
    )
    _add_gauges(parts)
    return parts


def lease_settings(settings: Settings, identity: str) -> LeaseSettings:
    """The Lease's settings. Raises `InvalidSettings` when nothing says where it is."""
    namespace = settings.lease_namespace or own_namespace()
    if namespace is None:
        raise InvalidSettings("--lease-namespace: missing; expected a namespace, or --no-leader-election")
    duration = float(settings.lease_seconds)
    return LeaseSettings(
        namespace=namespace,
        name=settings.lease_name,
        identity=identity,
        duration=duration,
        deadline=duration * 2 / 3,
        interval=duration / 7.5,
    )


def _run_metrics(settings: Settings, metrics: Metrics, now: Callable[[], datetime]) -> RunMetrics | None:
    """The metrics of single runs, beside all others; None where no run is to have any."""
    if not settings.run_metrics:
        return None
    runs = RunMetrics(settings.run_metrics, timedelta(seconds=settings.run_metrics_seconds), now)
    metrics.registry.register(runs)
    return runs


def _add_gauges(parts: Parts) -> None:
    kinds = tuple(resource.kind for resource in WATCHED)
    plurals = {resource.kind: resource.plural for resource in WATCHED}
    metrics = parts.metrics
    metrics.gauge("queue_depth", "Runs waiting for a worker", parts.queue.depth)
    metrics.gauge("queue_oldest_seconds", "How long the oldest run has been waiting or worked on", parts.queue.oldest)
    metrics.gauge("leader", "1 while this replica may act", lambda: 1.0 if _is_leading(parts) else 0.0)
    metrics.gauge("namespaces_unserved", "Namespaces that cannot be served now", lambda: _unserved(parts))
    metrics.gauge_by_kind("cache_objects", "Objects in the cache", lambda kind: parts.cache.sizes()[kind], kinds)
    metrics.gauge_by_kind(
        "watch_age_seconds", "Seconds since the watch connected", lambda kind: parts.informers.age(plurals[kind]), kinds
    )
    metrics.gauge_by_kind("last_event_age_seconds", "Seconds since the last event", parts.intake.age, kinds)


def _unserved(parts: Parts) -> float:
    """A replica that does not act serves none, which is nothing to worry about."""
    return float(len(parts.informers.unserved())) if _is_leading(parts) else 0.0


def _is_leading(parts: Parts) -> bool:
    return parts.lease is None or parts.lease.is_leading
