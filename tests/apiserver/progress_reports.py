"""Reports of training to the operator, as a pod sends them."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

from raw_client import Object, RawClient

AUDIENCE = "trainingrun.dev"


def head_of(admin: RawClient, namespace: str, name: str) -> Object:
    """The head of a run, when it is there."""
    selector = f"trainingrun.dev/group=head,trainingrun.dev/run-name={name}"
    heads: list[Object] = admin.until(lambda: admin.list("pods", namespace, selector), f"the head of {name}")
    return heads[0]


def report(
    url: str, namespace: str, name: str, token: str, percentage: int, *, ca: Path | None = None, **metrics: str
) -> int:
    """Send a report about a run. Returns the status of the answer."""
    named = [{"name": metric, "value": value} for metric, value in metrics.items()]
    body: Object = {"trainerStatus": {"progressPercentage": percentage, "metrics": named}}
    request = urllib.request.Request(  # noqa: S310 - an address of this test's own
        f"{url}/apis/v1beta1/namespaces/{namespace}/trainingruns/{name}/status",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if ca is not None:
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
