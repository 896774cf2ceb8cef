"""Waits until every kind that the operator needs can be watched: KubeRay may be installed later.

The API server serves a new kind before its discovery names it, and kopf, which looks there once, would never watch it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from trainingrun.kube import Api, ApiError, Forbidden, NotFound, Resource
from trainingrun.kube.resources import WATCHED

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 30.0


class Kinds:
    """Whether all kinds exist. `problem` says why not, for the readiness probe."""

    def __init__(self, api: Api, namespaces: Sequence[str | None]):
        self._api = api
        self._namespaces = namespaces
        self.problem: str | None = "the operator has not discovered its kinds yet"

    async def wait(self) -> None:
        """Return when every kind can be listed and is in discovery."""
        pause = _FIRST_PAUSE
        while (problem := await self._find_problem()) is not None:
            self.problem = problem
            logger.warning("waiting: %s", problem, extra={"retryInSeconds": pause})
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self.problem = None

    async def _find_problem(self) -> str | None:
        for resource in WATCHED:
            if (problem := await self._problem_with(resource)) is not None:
                return problem
        return None

    async def _problem_with(self, resource: Resource) -> str | None:
        try:
            for namespace in self._namespaces:
                async for _ in self._api.pages(resource, namespace, limit=1):
                    break
            if await self._api.is_discovered(resource):
                return None
        except NotFound:
            return f"{_name(resource)} is not installed in the cluster"
        except Forbidden as error:
            return f"the operator may not list {resource.plural}: {error.message}"
        except ApiError as error:
            return f"the API server cannot list {resource.plural}: {error.message}"
        return f"{_name(resource)} is not in the API server's discovery yet"


def _name(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group} ({resource.api_version})"
