"""The progress endpoint: pods of a run report how far training is, in Kubeflow Trainer's protocol.

A pod may report for its own run and nothing else; who it is, the API server says. Any replica serves it, because
it needs no more than the Kubernetes API. It must not decide anything about runs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime

from aiohttp import web

from trainingrun.contract.labels import MANAGED_BY_KEY, MANAGED_BY_VALUE
from trainingrun.contract.progress_protocol import MAX_BYTES, ROUTE, InvalidReport, decode
from trainingrun.engine.cache import Cache
from trainingrun.engine.keys import Key
from trainingrun.engine.metrics import Metrics
from trainingrun.engine.progress.callers import Callers, TooManyRefusals
from trainingrun.engine.progress.claims import Bearer
from trainingrun.engine.progress.reported_status import newest_attempt, reported_status
from trainingrun.engine.progress.tokens import Busy, TokenReviewer
from trainingrun.engine.progress.writer import ProgressWriter
from trainingrun.kube import Api, ApiError, Conflict, NotFound
from trainingrun.kube.resources import PODS, TRAINING_RUNS
from trainingrun.observed import Pod, RunObject, pod_of, run_object_of

logger = logging.getLogger(__name__)


class _Refused(Exception):
    """The request is answered with this status and sentence."""

    def __init__(self, status: int, sentence: str):
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class ProgressEndpoint:
    """Checks each request and hands its report on."""

    def __init__(
        self,
        api: Api,
        cache: Cache,
        callers: Callers,
        reviewer: TokenReviewer,
        writer: ProgressWriter,
        metrics: Metrics,
        now: Callable[[], datetime],
    ):
        self._api = api
        self._cache = cache
        self._callers = callers
        self._reviewer = reviewer
        self._writer = writer
        self._metrics = metrics
        self._now = now

    def application(self) -> web.Application:
        """The web application. From now on reports can arrive."""
        self._begin()
        app = web.Application(client_max_size=MAX_BYTES)
        app.router.add_post(ROUTE, self._answer)
        return app

    def _begin(self) -> None:
        """What has not arrived before says nothing about training; times of status are whole seconds."""
        self._cache.reports_since = self._now().replace(microsecond=0)

    async def _answer(self, request: web.Request) -> web.Response:
        try:
            status, sentence = await self._take(request)
        except _Refused as refused:
            status, sentence = refused.status, refused.sentence
        except web.HTTPRequestEntityTooLarge:
            status, sentence = 413, f"The body is too long: at most {MAX_BYTES} bytes are allowed."
        except TooManyRefusals:
            status, sentence = 429, "Too many requests of this caller were refused; report again in a minute."
        except Busy:
            status, sentence = 503, "Too many tokens wait to be reviewed; report again later."
        except NotFound:
            status, sentence = 404, "There is no such run."
        except Conflict:
            status, sentence = 409, "The run has been replaced by a different one with the same name."
        except ApiError as error:
            logger.warning("a progress report could not be accepted: %s", error)
            self._begin()
            status, sentence = 503, "The Kubernetes API is not available; report again later."
        self._metrics.reports.labels(str(status)).inc()
        headers = {"Retry-After": "10"} if status in (429, 503) else None
        return web.Response(
            status=status, text=json.dumps({"message": sentence}), content_type="application/json", headers=headers
        )

    async def _take(self, request: web.Request) -> tuple[int, str]:
        key = Key(request.match_info["namespace"], request.match_info["name"])
        caller = request.remote or ""
        bearer = await self._bearer(request, caller)
        if bearer.namespace != key.namespace:
            raise _Refused(403, "The pod is in a different namespace from the run.")
        pod = await self._pod(bearer, caller)
        run = await self._run(key, caller)
        if run.uid != pod.run_uid:
            raise _Refused(403, f"Pod {pod.name} does not belong to run {run.name}.")
        if run.deleting:
            raise _Refused(409, f"Run {run.name} is being deleted.")
        if not self._writer.may_report(run.uid):
            raise _Refused(429, "Too many reports: one per second is allowed.")
        if pod.attempt < (newest := newest_attempt(run.status)):
            raise _Refused(409, f"Attempt {pod.attempt} is over: attempt {newest} is the newest.")
        try:
            report = decode(await request.read())
        except InvalidReport as error:
            raise _Refused(422, f"The report is not valid: {error}.") from error
        is_written = await self._writer.take(run, pod.attempt, reported_status(report))
        return (200, "Accepted.") if is_written else (202, "Accepted; it will be written with the next update.")

    async def _bearer(self, request: web.Request, caller: str) -> Bearer:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _Refused(401, "A token is missing: send `Authorization: Bearer <token>`.")
        bearer = await self._reviewer.bearer(token.strip(), caller)
        if bearer is None:
            raise _Refused(401, "The token is not valid here, or is not bound to a pod.")
        return bearer

    async def _pod(self, bearer: Bearer, caller: str) -> Pod:
        """The pod, from the cache or from the API server: a replica that does not lead has no cache."""
        pod = self._cache.pod(bearer.pod_uid)
        if pod is not None:
            return pod
        self._callers.require(caller)
        try:
            body = await self._api.get(PODS, bearer.namespace, bearer.pod)
        except NotFound as error:
            self._callers.refused(caller)
            raise _Refused(403, f"Pod {bearer.pod} no longer exists.") from error
        labels = body["metadata"].get("labels") or {}
        if body["metadata"]["uid"] != bearer.pod_uid or labels.get(MANAGED_BY_KEY) != MANAGED_BY_VALUE:
            self._callers.refused(caller)
            raise _Refused(403, f"Pod {bearer.pod} is not a pod of a run.")
        return pod_of(body)

    async def _run(self, key: Key, caller: str) -> RunObject:
        run = self._cache.run(key)
        if run is not None:
            return run
        self._callers.require(caller)
        try:
            return run_object_of(await self._api.get(TRAINING_RUNS, key.namespace, key.name))
        except NotFound:
            self._callers.refused(caller)
            raise
