"""The watch engine, kopf: the only module that imports it, so that it can be replaced.

kopf lists and watches, logs in again and reconnects; nothing more. It gets event handlers that do not await, no
finalizers, no annotations, no peering, and no state of its own on our objects. It ends on purpose when it can no longer
watch: the process is restarted and continues from the state of the cluster.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import aiohttp
import kopf
from kubernetes.aio.client.configuration import Configuration

from trainingrun.engine.intake import Intake
from trainingrun.engine.resync import selector_of
from trainingrun.engine.session import open_session
from trainingrun.engine.watch_health import WATCH_SECONDS, Watches
from trainingrun.kube import Resource
from trainingrun.kube.resources import WATCHED

logger = logging.getLogger(__name__)

# Long enough to survive an upgrade of the control plane without exiting.
_BACKOFFS = (1, 2, 4, 8, 15, 30, 60, 60, 60)
# Only peering, which is off, would use it.
_IDENTITY = "trainingrun"
# Below the grace period of the pod.
STOP_SECONDS = 20.0


class _NoMemory(kopf.DiffBaseStorage):
    """kopf copies every body to find out what changed, which nothing here needs."""

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        raise RuntimeError("kopf must not store anything on our objects")


async def watch(
    configuration: Configuration,
    intake: Intake,
    watches: Watches,
    namespaces: Sequence[str],
    stop: asyncio.Event,
) -> None:
    """Watch until `stop` is set or a signal comes. Raises when watching is no longer possible."""
    await kopf.operator(
        registry=_registry(configuration, intake, watches),
        settings=_settings(),
        # Without one, kopf looks up the name of its user, which need not exist in a container.
        identity=_IDENTITY,  # type: ignore[arg-type]  # kopf does not export its type, which is str's
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )


def _registry(configuration: Configuration, intake: Intake, watches: Watches) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.AiohttpSession:
        session: aiohttp.ClientSession = open_session(configuration, watches)
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session)

    for resource in WATCHED:
        _register(registry, resource, intake)
    return registry


def _register(registry: kopf.OperatorRegistry, resource: Resource, intake: Intake) -> None:
    @kopf.on.event(resource.group, resource.version, resource.plural, registry=registry, id=resource.plural)
    async def event_of_kind(event: Any, **_: Any) -> None:
        intake.take(resource.kind, event["type"], event["object"])


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.connect_timeout = 10
    # For so long after its last change, kopf keeps a task for an object and its whole body.
    settings.queueing.idle_timeout = 0.5
    for resource in WATCHED:
        if selector := selector_of(resource):
            settings.watching.label_selectors[resource.group, resource.version, resource.plural] = selector
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.error_backoffs = _BACKOFFS
    settings.persistence.diffbase_storage = _NoMemory()
    settings.process.ultimate_exiting_timeout = STOP_SECONDS
    return settings
