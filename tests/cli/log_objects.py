"""What a cluster says of a run's processes: logs of pods, and Ray's dashboard behind the API server's proxy."""

from __future__ import annotations

import json
from collections.abc import Callable

from api_double import ApiDouble, Request
from cluster_objects import TOKEN, attempt, pod, ray_job, run, token_secret


def spoken(output: str) -> list[tuple[str, str]]:
    """Who said what."""
    lines = (line.split(" | ", 1) for line in output.splitlines())
    return [(label.rstrip(), text) for label, text in lines]


def dashboard(*lines: str, node: str | None = "n1") -> Callable[[Request], tuple[int, str]]:
    """Ray's dashboard behind the API server's proxy, as Ray 2.5x answers; it wants the cluster's token."""

    def answer(request: Request) -> tuple[int, str]:
        if request.headers.get("X-Ray-Authorization") != f"Bearer {TOKEN}":
            return 401, "Unauthorized: Missing authentication token"
        if "/api/jobs/" in request.path:
            return 200, json.dumps({"driver_node_id": node})
        wanted = int(request.query["lines"])
        return 200, "".join(f"{line}\n" for line in (lines if wanted < 0 else lines[-wanted:]))

    return answer


def live_run(double: ApiDouble) -> None:
    """A run whose second attempt is live; pods of the first one are still going."""
    entries = [attempt(0, "Failed", message="The node was lost."), attempt(1)]
    double.put("trainingruns", run("mnist", "Running", attempts=entries))
    for index in (0, 1):
        double.put("rayjobs", ray_job(index, f"job-{index}"))
        double.put("secrets", token_secret(index))
        for group in ("trainer", "head", "data"):
            body = pod(group, index=index)
            double.put("pods", body)
            double.logs[body["metadata"]["name"]] = [f"{group} of attempt {index}"]
    double.dashboard = dashboard("epoch 0", "epoch 1")
