"""Lines of one container's log."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from trainingrun.client.driver_log import DriverLog
from trainingrun.client.log_source import DRIVER, GROUPS, LogSource, NotYet, Unavailable
from trainingrun.client.session import Session
from trainingrun.contract.labels import ATTEMPT_KEY, RAY_GROUP_KEY
from trainingrun.kube import Forbidden, NotFound, Rejected
from trainingrun.kube.resources import PODS
from trainingrun.naming import run_selector
from trainingrun.status_page.view import AttemptView, RunView


@dataclass(frozen=True)
class PodLog:
    """The output of a pod's Ray container: what Ray itself says."""

    session: Session
    pod: Mapping[str, Any]
    ends_with_stream: bool = True

    @property
    def label(self) -> str:
        """The group and the part of the name that differs: `trainer/x7k2p`."""
        metadata = self.pod["metadata"]
        return f"{metadata['labels'].get(RAY_GROUP_KEY, 'pod')}/{metadata['name'].rsplit('-', 1)[-1]}"

    @property
    def key(self) -> str:
        """The pod's uid."""
        return str(self.pod["metadata"]["uid"])

    async def lines(self, *, follow: bool, tail: int | None, seen: int = 0) -> AsyncGenerator[str]:
        """Its lines; when lines were seen before the connection was lost, only those that come from now on."""
        name, container = self.pod["metadata"]["name"], self.pod["spec"]["containers"][0]["name"]
        wanted = 0 if seen else tail
        try:
            async with self.session.api.logs(
                self.session.namespace, name, container, follow=follow, tail=wanted
            ) as lines:
                async for line in lines:
                    yield line
        except (Rejected, NotFound) as error:
            raise NotYet(error.message) from error
        except Forbidden as error:
            raise Unavailable(error.message) from error


async def sources_of(session: Session, view: RunView, attempt: AttemptView, groups: tuple[str, ...]) -> list[LogSource]:
    """The sources of an attempt that exist now: the driver first, then the pods by group and name."""
    selector = f"{run_selector(view.uid)},{ATTEMPT_KEY}={attempt.index}"
    pods = await session.api.list(PODS, session.namespace, selector=selector)
    sources: list[LogSource] = []
    if DRIVER in groups and attempt.ray_job and pods:
        sources.append(DriverLog(session, attempt.ray_job, tuple(pods)))
    wanted = [pod for pod in pods if pod["metadata"]["labels"].get(RAY_GROUP_KEY) in groups]
    wanted.sort(key=lambda pod: (GROUPS.index(pod["metadata"]["labels"][RAY_GROUP_KEY]), pod["metadata"]["name"]))
    return [*sources, *(PodLog(session, pod) for pod in wanted)]
