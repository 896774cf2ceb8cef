"""An API server that holds one Secret, with the optimistic lock of the real one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from trainingrun.kube.transport import Request, Response

PATH = "/api/v1/namespaces/system/secrets/certificate"


class SecretStore:
    """`before_write` is called before each write: what somebody else does in the meantime."""

    def __init__(self, data: dict[str, str] | None = None):
        metadata = {"name": "certificate", "namespace": "system", "resourceVersion": "1", "labels": {"a": "b"}}
        self.body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
        if data is not None:
            self.body["data"] = data
        self.writes = 0
        self.before_write: Callable[[], None] = lambda: None

    async def send(self, request: Request) -> Response:
        """Carry out a GET or a PUT of the Secret; there is nothing else."""
        if request.path != PATH:
            return _answer(404, {"kind": "Status", "reason": "NotFound", "message": f"{request.path} not found"})
        if request.method == "PUT":
            self.before_write()
            assert request.body is not None
            if request.body["metadata"]["resourceVersion"] != self.body["metadata"]["resourceVersion"]:
                return _answer(409, {"kind": "Status", "reason": "Conflict", "message": "has been modified"})
            self.store(copy.deepcopy(dict(request.body)))
        return _answer(200, self.body)

    def store(self, body: dict[str, Any]) -> None:
        """Take the body as the Secret's new one."""
        self.writes += 1
        body["metadata"]["resourceVersion"] = str(int(self.body["metadata"]["resourceVersion"]) + 1)
        self.body = body


def _answer(status: int, body: dict[str, Any]) -> Response:
    return Response(status, {}, json.dumps(body).encode())
