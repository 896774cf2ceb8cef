"""Reports this process's health to Kubernetes and Prometheus: /healthz, /readyz and /metrics.

It serves from the very start, so that a replica that waits for the Lease is alive and ready too. It must not judge
runs: a failing run is no reason to restart the operator.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from trainingrun.engine.metrics import Metrics

# Why not, in one sentence; None while everything is fine.
Check = Callable[[], str | None]

_BEAT_SECONDS = 1.0
_REMEMBERED_BEATS = 60
LAG_LIMIT_SECONDS = 20.0
# Longer than one reconcile may take.
STALLED_LIMIT_SECONDS = 600.0


class Heartbeat:
    """How late the event loop has recently been."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque([0.0], _REMEMBERED_BEATS)

    async def keep(self, metrics: Metrics) -> None:
        """Measure forever."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _BEAT_SECONDS
            await asyncio.sleep(_BEAT_SECONDS)
            self._lags.append(max(0.0, clock() - due))
            metrics.lag.set(max(self._lags))

    def check(self) -> str | None:
        """Whether the loop turns now: a lag that it has recovered from is no reason for a restart."""
        lag = self._lags[-1]
        return f"the event loop was {lag:.0f} s late" if lag > LAG_LIMIT_SECONDS else None


def check_work(stalled: float) -> str | None:
    """Whether work moves. That there is much of it is no reason for a restart, which would only begin it anew."""
    return f"no reconcile has ended for {stalled:.0f} s" if stalled > STALLED_LIMIT_SECONDS else None


def application(
    metrics: Metrics, alive: Iterable[Check], ready: Iterable[Check], notes: Callable[[], Iterable[str]] = tuple
) -> web.Application:
    """The web application: alive when every check of the first kind passes, ready when every one of the second does.

    `notes` are told by /readyz whatever it answers.
    """
    app = web.Application()
    app.router.add_get("/healthz", _answering(tuple(alive), tuple))
    app.router.add_get("/readyz", _answering(tuple(ready), notes))

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    app.router.add_get("/metrics", show_metrics)
    return app


def _answering(
    checks: tuple[Check, ...], notes: Callable[[], Iterable[str]]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        problems = [problem for check in checks if (problem := check()) is not None]
        text = "\n".join([*(problems or ["ok"]), *notes()])
        return web.Response(text=text, status=503 if problems else 200)

    return answer
