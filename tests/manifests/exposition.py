"""What an operator serves at /metrics, by its own code, when it has looked at runs as a real cluster had them."""

from __future__ import annotations

from datetime import UTC, datetime

import recorded_objects

from trainingrun.engine.assembly import Parts, assemble
from trainingrun.engine.keys import Key
from trainingrun.engine.settings import Settings
from trainingrun.kube.transport import Request, Response

# When they were recorded.
_NOW = datetime(2026, 11, 21, 20, 52, tzinfo=UTC)


class _Refusing:
    """An API server that allows nothing, so that refusals are counted too."""

    async def send(self, request: Request) -> Response:
        return Response(403, {}, b"{}")


async def operator() -> tuple[Parts, list[Key]]:
    """An operator that has looked at each run, and the runs. It must be made in a running event loop."""
    settings = Settings(lease_namespace="system", leader_election=False, run_metrics=100)
    parts = assemble(settings, _Refusing(), now=lambda: _NOW, jitter=lambda: 1.0)  # type: ignore[arg-type]
    for state, body in recorded_objects.runs().items():
        # Some are one run at two times.
        body["metadata"] |= {"name": state.lower(), "uid": state}
        if state == "Running":
            body["status"]["trainerStatus"]["estimatedRemainingSeconds"] = 60
        parts.intake.take("TrainingRun", "ADDED", body)
    keys = sorted(parts.cache.keys())
    for key in keys:
        await parts.worker.look(key)
    parts.metrics.reports.labels("200").inc()
    return parts, keys
