"""Keeps a pod that serves a claim's files: makes it, says why it does not start, and deletes it whatever happens."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from trainingrun.history.figures import one_line
from trainingrun.kube import Api, ApiError, Body, Channel, Forbidden, KubernetesTransport, NotFound, Transient
from trainingrun.kube.resources import EVENTS, PODS
from trainingrun.observed.reading import pod_of
from trainingrun.transfer.places import CutOff, TransferError
from trainingrun.transfer.pod import CONTAINER, LABEL, Image, pod, serving_command

POLL_SECONDS = 1.0
# A node may have to be started for the pod, and an image be pulled.
PATIENCE_SECONDS = 600.0
# The kubelet and the scheduler try again, but these do not change within a command's patience.
_HOPELESS = re.compile(r'ErrImageNeverPull|InvalidImageName|ImagePullBackOff|persistentvolumeclaim "[^"]*" not found')
# Also quotas and policies forbid things; no role helps against those.
_RIGHTS = re.compile(r"\bcannot \w+ resource\b|a command may not be run")
_ROLE = (
    " Ask the cluster's administrator for a role with the verbs create, get, list and delete on pods, "
    "and get and create on pods/exec."
)
_OVER = ("Succeeded", "Failed")


@dataclass
class PodHost:
    """The pod of one command. `tell` gets sentences about what it waits for, PATIENCE_SECONDS at most.

    `run` is the JSON of the run that owns the pod, if one does.
    """

    api: Api
    transport: KubernetesTransport
    namespace: str
    claim: str
    image: Image
    tell: Callable[[str], None]
    read_only: bool
    fixed_ids: bool
    run: Mapping[str, Any] | None = None
    _running: Body | None = field(default=None, init=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Channel]:
        """A program that serves files, in the pod, which is made if there is none (any more). Raises `CutOff`."""
        try:
            body = await self._ensured()
            name = body["metadata"]["name"]
            async with self.transport.command(self.namespace, name, CONTAINER, serving_command()) as channel:
                yield channel
        except Forbidden as error:
            raise TransferError(
                f"{_sentence(error.message)}.{_ROLE if _RIGHTS.search(error.message) else ''}"
            ) from error
        except (Transient, NotFound) as error:
            raise CutOff(error.message) from error
        except ApiError as error:
            raise TransferError(f"The API server does not accept it: {error.message.rstrip('.')}.") from error

    async def close(self) -> None:
        """Delete the pod. An API server that is away does not keep the command: the pod ends by itself."""
        if self._running is not None:
            body, self._running = self._running, None
            await asyncio.shield(self._delete(body))

    async def remove_left(self) -> None:
        """Delete the pods of earlier commands that were killed, once they have ended."""
        with suppress(ApiError):
            for body in await self.api.list(PODS, self.namespace, selector=LABEL):
                if (body.get("status") or {}).get("phase") in _OVER:
                    await self._delete(body)

    async def _ensured(self) -> Body:
        if self._running is not None:
            with suppress(NotFound):
                found = await self.api.get(PODS, self.namespace, self._running["metadata"]["name"])
                if (found.get("status") or {}).get("phase") not in _OVER and "deletionTimestamp" not in found[
                    "metadata"
                ]:
                    return found
            await self.close()
        name = f"trainingrun-files-{secrets.token_hex(4)}"
        body = pod(name, self.claim, self.image, read_only=self.read_only, fixed_ids=self.fixed_ids, run=self.run)
        self.tell(f"Starting pod {name}, which serves the files of claim {self.claim}.")
        self._running = await self.api.create(PODS, self.namespace, body)
        return await self._started(name)

    async def _started(self, name: str) -> Body:
        until, told = time.monotonic() + PATIENCE_SECONDS, ""
        while True:
            body = await self.api.get(PODS, self.namespace, name)
            phase = (body.get("status") or {}).get("phase")
            if phase == "Running":
                return body
            words = why_not_running(body) or await self._event(name)
            if phase in _OVER:
                raise TransferError(f"The pod that was to serve the files of claim {self.claim} has ended: {words}.")
            if _HOPELESS.search(words) or time.monotonic() > until:
                waited = "" if _HOPELESS.search(words) else f" within {PATIENCE_SECONDS:g} s"
                raise TransferError(
                    f"The pod that is to serve the files of claim {self.claim} cannot start{waited}: "
                    f"{words or 'no reason was given'}."
                )
            if words and words != told:
                told = words
                self.tell(f"Waiting for pod {name}: {words}")
            await asyncio.sleep(POLL_SECONDS)

    async def _event(self, name: str) -> str:
        """The newest warning about the pod: what keeps a volume from being mounted is told nowhere else."""
        try:
            found = await self.api.list(EVENTS, self.namespace, fields=f"involvedObject.name={name},type=Warning")
        except ApiError:
            return ""
        newest = max(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")), default={})
        return _sentence(str(newest.get("reason")), str(newest.get("message"))) if newest else ""

    async def _delete(self, body: Body) -> None:
        metadata = body["metadata"]
        with suppress(ApiError):
            await self.api.delete(PODS, self.namespace, metadata["name"], uid=metadata["uid"])


def why_not_running(body: Body) -> str:
    """What the scheduler or the kubelet say of a pod that does not run; empty if they say nothing."""
    seen = pod_of(body)
    for end in seen.terminations:
        return _sentence(end.reason or f"exit code {end.exit_code}", end.message)
    for waiting in seen.waiting:
        return _sentence(waiting.reason, waiting.message)
    if seen.unschedulable is not None:
        return _sentence(seen.unschedulable)
    return _sentence(seen.status_reason, seen.status_message)


def _sentence(*parts: str) -> str:
    """The parts as the middle of a sentence."""
    return one_line(": ".join(filter(None, parts))).rstrip(".")
