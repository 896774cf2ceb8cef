"""The log of an attempt's driver, from Ray's dashboard through the API server's proxy.

A RayJob's driver does not write to its pod's output but to a file of Ray's, and so does every training worker, whose
lines Ray repeats there. Ray serves that file over plain HTTP, from its end and while it grows; the API server passes
the request on to the head's service, so that no port need be forwarded. It takes the token that KubeRay has made, in
a header that the API server does not keep for itself.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from trainingrun.client.log_source import NotYet, Unavailable
from trainingrun.client.session import Session
from trainingrun.contract.labels import RAY_GROUP_KEY, RAY_HEAD_VALUE
from trainingrun.kube import ApiError, Forbidden, NotFound, Resource, Transient
from trainingrun.kube.errors import error_of
from trainingrun.kube.resources import RAY_JOBS
from trainingrun.kube.transport import Request, Response

_SECRETS = Resource("", "v1", "secrets", "Secret")
_TOKEN_VARIABLE = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable
_PORT = 8265
_ALL = -1


@dataclass(frozen=True)
class _Dashboard:
    """Where the API server passes requests on to, and the header that Ray wants."""

    session: Session
    path: str
    headers: Mapping[str, str]

    def request(self, path: str, query: Mapping[str, str], *, endless: bool = False) -> Request:
        return Request("GET", self.path + path, query, timeout=None if endless else 30.0, headers=self.headers)


@dataclass(frozen=True)
class DriverLog:
    """The source of the driver's lines. `pods` are those of its attempt; one of them is the head."""

    session: Session
    ray_job: str
    pods: tuple[Mapping[str, Any], ...]
    label: str = "driver"
    # When the stream ends, the driver may still run: only the connection was cut.
    ends_with_stream: bool = False

    @property
    def key(self) -> str:
        """What identifies this source, even after its pods have changed."""
        return f"driver of {self.ray_job}"

    async def lines(self, *, follow: bool, tail: int | None, seen: int = 0) -> AsyncGenerator[str]:
        """The last `tail` lines, or all but the first `seen`, and with `follow` those that come."""
        try:
            job = await self._job()
            dashboard = await self._dashboard()
            node = await self._node(dashboard, job)
            if tail is not None and seen:
                tail = 1  # Ray has no way to ask for none: one line comes again.
            query = {"node_id": node, "submission_id": job, "lines": str(_ALL if tail is None else tail)}
            path = f"/api/v0/logs/{'stream' if follow else 'file'}"
            async with self.session.transport.stream(dashboard.request(path, query, endless=True)) as (answer, lines):
                _judge(answer)
                skipped = seen if tail is None else 0
                async for line in lines:
                    if skipped > 0:
                        skipped -= 1
                    else:
                        yield line.decode(errors="replace")
        except Forbidden as error:
            raise Unavailable(f"{error.message}. {self._other_way()}") from error
        except NotFound as error:
            raise NotYet(error.message) from error

    async def _job(self) -> str:
        body = await self.session.api.get(RAY_JOBS, self.session.namespace, self.ray_job)
        job = (body.get("status") or {}).get("jobId")
        if not job:
            raise NotYet("its driver has not started yet")
        return str(job)

    async def _dashboard(self) -> _Dashboard:
        namespace = quote(self.session.namespace, safe="")
        service = f"{quote(self.ray_job, safe='')}-head-svc:{_PORT}"
        headers = {}
        reference = _token_reference(self._head())
        if reference:
            secret = await self.session.api.get(_SECRETS, self.session.namespace, reference["name"])
            token = base64.b64decode(secret["data"][reference["key"]]).decode()
            # Authorization is the API server's own and is not passed on; Ray reads this one for that reason.
            headers["X-Ray-Authorization"] = f"Bearer {token}"
        return _Dashboard(self.session, f"/api/v1/namespaces/{namespace}/services/{service}/proxy", headers)

    async def _node(self, dashboard: _Dashboard, job: str) -> str:
        answer = await self.session.transport.send(dashboard.request(f"/api/jobs/{quote(job, safe='')}", {}))
        _judge(answer)
        node = json.loads(answer.body).get("driver_node_id")
        if not node:
            raise NotYet("its driver has not started yet")
        return str(node)

    def _head(self) -> Mapping[str, Any] | None:
        heads = [pod for pod in self.pods if pod["metadata"]["labels"].get(RAY_GROUP_KEY) == RAY_HEAD_VALUE]
        return max(heads, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)

    def _other_way(self) -> str:
        head = self._head()
        if head is None:
            return "This needs the verb get on rayjobs, secrets and services/proxy."
        container = head["spec"]["containers"][0]["name"]
        return (
            "This needs the verb get on rayjobs, secrets and services/proxy. Without it, read the log in the head's "
            f"pod: kubectl exec -n {self.session.namespace} {head['metadata']['name']} -c {container} -- "
            "sh -c 'tail -F /tmp/ray/session_latest/logs/job-driver-*.log'"
        )


def _token_reference(head: Mapping[str, Any] | None) -> Mapping[str, str] | None:
    """The Secret and key of the head's token from KubeRay; None if Ray needs none."""
    for container in head["spec"]["containers"] if head else ():
        for variable in container.get("env") or ():
            if variable.get("name") == _TOKEN_VARIABLE:
                reference: Mapping[str, str] | None = (variable.get("valueFrom") or {}).get("secretKeyRef")
                return reference
    return None


def _judge(answer: Response) -> None:
    """Raise what an answer means. Ray answers in plain text, the API server with a Status."""
    if answer.status < 400:
        return
    error: ApiError = error_of(answer.status, answer.headers, answer.body)
    if answer.status in (401, 403) and b'"Status"' not in answer.body:
        raise Unavailable(f"Ray does not accept the token: {error.message}")
    if isinstance(error, Transient) and answer.status not in (429, 502, 503, 504):
        raise NotYet(f"Ray is not ready yet: {error.message}")
    raise error
