"""Runs the operator from start to end.

It may be killed at any time. Whatever it cannot recover from ends the process, which is then restarted and continues
from the state of the cluster.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import ssl
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from trainingrun.engine import health
from trainingrun.engine.assembly import Parts, assemble, now
from trainingrun.engine.keys import Key
from trainingrun.engine.kopf_frame import STOP_SECONDS, run_framed
from trainingrun.engine.listener import Listener, serve
from trainingrun.engine.progress.callers import Callers
from trainingrun.engine.progress.endpoint import ProgressEndpoint
from trainingrun.engine.progress.tokens import TokenReviewer
from trainingrun.engine.settings import InvalidSettings, Settings, flag_of
from trainingrun.kube import KubernetesTransport, load_configuration

logger = logging.getLogger(__name__)

_DRAIN_SECONDS = 8.0
# Hardly anything here is in a cycle: searching for cycles after every 700 objects takes a quarter of the start time.
_OBJECTS_BETWEEN_COLLECTIONS = 20_000


async def run_operator(settings: Settings) -> int:
    """Run until a signal or a failure ends it. Returns the exit status."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    configuration = await load_configuration(settings.kubeconfig, settings.context)
    transport = KubernetesTransport(configuration)
    operator = Operator(assemble(settings, transport), configuration)
    _on_signals(operator.stop)
    try:
        return await operator.run()
    finally:
        # Whatever hangs now must not outlast the pod's grace period.
        asyncio.get_running_loop().call_later(STOP_SECONDS, os._exit, 1)
        await operator.close()
        await transport.close()


class Operator:
    """One process. `stop` ends it."""

    def __init__(self, parts: Parts, configuration: Any):
        self.stop = asyncio.Event()
        self._parts = parts
        self._configuration = configuration
        self._began = asyncio.Event()
        self._has_failed = False
        self._servers: list[Listener] = []
        self._tasks: list[asyncio.Task[Any]] = []

    async def run(self) -> int:
        """Serve, lead, watch and work, until `stop` is set or one of these ends. Returns the exit status."""
        await self._serve()
        self._start("heartbeat", self._parts.heartbeat.keep(self._parts.metrics))
        self._start("events", self._parts.events.work())
        # kopf ends every task that is younger than it, so all others are made before it.
        for number in range(self._parts.settings.workers):
            self._start(f"worker-{number}", self._work())
        self._start("lead", self._lead())
        await self.stop.wait()
        return 1 if self._has_failed else 0

    async def close(self) -> None:
        """Finish current work, stop serving, write what is pending, and hand over."""
        parts = self._parts
        self.stop.set()
        parts.queue.stop()
        self._began.set()
        ending = [task for task in self._tasks if task.get_name().startswith(("worker", "watch"))]
        if ending:
            await asyncio.wait(ending, timeout=_DRAIN_SECONDS)
        for server in self._servers:
            await server.cleanup()
        await parts.writer.flush(3.0)
        await parts.events.flush(2.0)
        if parts.lease is not None:
            await parts.lease.release()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        logger.info("ended")

    async def _lead(self) -> None:
        """Wait to become the acting replica; then start the workers, watch and compare."""
        parts = self._parts
        if parts.lease is not None:
            await parts.lease.acquire()
            self._start("lease", parts.lease.keep())
        self._began.set()
        self._start("watch", run_framed(self._configuration, parts.informers.keep, self.stop))
        await parts.informers.wait()
        # kopf took the signals.
        _on_signals(self.stop)
        logger.info("working", extra=parts.cache.sizes())
        await parts.informers.keep_comparing(parts.settings.resync_seconds)

    async def _work(self) -> None:
        await self._began.wait()
        await self._parts.queue.work(self._look)

    async def _look(self, key: Key) -> None:
        """Reconcile a run if all of its namespace is known; when it is, every run of it comes again."""
        if self._parts.informers.is_synced(key.namespace):
            await self._parts.worker.look(key)

    async def _serve(self) -> None:
        parts, settings = self._parts, self._parts.settings
        alive = (parts.heartbeat.check, lambda: health.check_work(parts.queue.stalled()))
        app = health.application(parts.metrics, alive, (self._check_ready,), self._notes)
        await self._listen(app, "health_port")
        if settings.progress_url is None:
            return
        callers = Callers()
        reviewer = TokenReviewer(parts.api, settings.progress_audience, callers, parts.cache.pod, now)
        endpoint = ProgressEndpoint(parts.api, parts.cache, callers, reviewer, parts.writer, parts.metrics, now)
        certificate = settings.certificate()
        if certificate is not None:
            parts.cache.is_trusted = certificate.is_trusted_with
            self._start("certificate", certificate.keep())
        tls = certificate.context if certificate is not None else None
        await self._listen(endpoint.application(), "progress_port", tls)

    async def _listen(self, app: web.Application, setting: str, tls: ssl.SSLContext | None = None) -> None:
        settings, port = self._parts.settings, getattr(self._parts.settings, setting)
        try:
            self._servers.append(await serve(app, settings.bind_address, port, tls))
        except OSError as error:
            words = f"{flag_of(setting)}: found {port}, allowed: a port that can be opened ({error.strerror})"
            raise InvalidSettings(words) from error

    def _check_ready(self) -> str | None:
        """A standby replica is ready: it serves what any replica serves."""
        lease = self._parts.lease
        if lease is not None and not lease.is_leading:
            return None if lease.is_known else "the Lease has not been read yet"
        informers = self._parts.informers
        if not informers.is_any_synced:
            return next(iter(informers.unserved().values()))
        stale = informers.stale()
        return f"no watch of {stale[0]} is known to be alive" if stale else None

    def _notes(self) -> list[str]:
        """What no restart and no other replica would mend: namespaces that are not served while others are."""
        informers = self._parts.informers
        unserved = informers.unserved() if informers.is_any_synced else {}
        return [f"namespace {name} is not served: {why}" for name, why in unserved.items()]

    def _start(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(coroutine, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if self.stop.is_set() or task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._has_failed = True
            logger.error("the operator stops: %s failed: %s", task.get_name(), _cause(error), exc_info=error)
        self.stop.set()


def _cause(error: BaseException) -> BaseException:
    """What went wrong first in tasks that belong together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
