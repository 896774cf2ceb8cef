"""The way between an operator and the API server, and everything that can go wrong on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from server import Server

from trainingrun.kube.errors import Transient
from trainingrun.kube.transport import Request, Response

LATENCY = 0.01
PATIENCE = 30.0
STALE_SECONDS = 20.0


class Fault(Enum):
    """What may happen to a request."""

    KILL_BEFORE = "the operator dies before it is carried out"
    KILL_AFTER = "the operator dies after it was carried out"
    KILL_DURING = "the operator dies, and it is carried out when another one lives already"
    LOST_ANSWER = "it is carried out, and the answer is lost"
    LATE = "it is carried out just before its sender gives up, and the answer is lost"
    LOST_REQUEST = "it is lost"
    REFUSED = "nobody listens"
    CONFLICT = 409
    GONE = 410
    INVALID = 422
    TOO_MANY = 429
    INTERNAL = 500
    UNAVAILABLE = 503
    TIMEOUT = 504
    STALE = "it is answered from the past"


_LATER = (Fault.KILL_DURING, Fault.LATE)


@dataclass(frozen=True)
class Call:
    """A request as the oracle sees it."""

    time: float
    method: str
    path: str
    status: int

    @property
    def is_claim(self) -> bool:
        """Whether it takes or renews the Lease."""
        return self.method != "GET" and "/leases" in self.path

    @property
    def is_write(self) -> bool:
        """Whether it changes anything but the Lease."""
        return self.method != "GET" and not self.is_claim


# Number of the call (from 0) and the request; None lets it pass.
Plan = Callable[[int, Request], Fault | None]


def no_faults(index: int, request: Request) -> Fault | None:
    return None


class Network:
    """A transport. `calls` records everything; `on_kill` ends the operator that uses it."""

    def __init__(self, server: Server, plan: Plan, on_kill: Callable[[], None]):
        self._server = server
        self._plan = plan
        self._on_kill = on_kill
        self._count = 0
        self._past: list[tuple[float, Server]] = []
        self._hold: tuple[int, float] | None = None
        self._writes = 0
        self.most_writes = 0
        # How old answers from the past are.
        self.stale_seconds = STALE_SECONDS
        self.frozen_until = 0.0
        self.calls: list[Call] = []

    def hold(self, number: int, seconds: float) -> None:
        """Stop the operator for so long when this call has been carried out, before it learns of the answer."""
        self._hold = number, seconds

    def remember(self) -> None:
        """Keep what the cluster is at each change, for reads that are answered from the past."""
        server = self._server

        def keep(*_: Any) -> None:
            self._past.append((asyncio.get_running_loop().time(), server.copy()))

        server.listeners.append(keep)

    async def send(self, request: Request) -> Response:
        await self._thaw()
        number, self._count = self._count, self._count + 1
        is_write = request.method != "GET"
        self._writes += is_write
        self.most_writes = max(self.most_writes, self._writes)
        try:
            await asyncio.sleep(LATENCY)
            fault = self._plan(number, request)
            response = self._carry_out(request) if fault is None else await self._fail(fault, request)
            await asyncio.sleep(LATENCY)
        finally:
            self._writes -= is_write
        if self._hold is not None and self._hold[0] == number:
            self.frozen_until = asyncio.get_running_loop().time() + self._hold[1]
        await self._thaw()
        return response

    async def _thaw(self) -> None:
        await asyncio.sleep(max(0.0, self.frozen_until - asyncio.get_running_loop().time()))

    async def _fail(self, fault: Fault, request: Request) -> Response:
        patience = request.timeout or PATIENCE
        if fault in (Fault.KILL_AFTER, Fault.LOST_ANSWER):
            self._carry_out(request)
        if fault in _LATER:
            asyncio.get_running_loop().call_later(0.9 * patience, self._carry_out, request)
        if fault in (Fault.KILL_AFTER, Fault.KILL_BEFORE, Fault.KILL_DURING):
            self._on_kill()
            await asyncio.Event().wait()
        if fault is Fault.STALE:
            return self._carry_out(request, self.stale_seconds if request.method == "GET" else 0.0)
        if not isinstance(fault.value, int):
            if fault in (Fault.LOST_REQUEST, Fault.REFUSED):
                self._record(request, 0)
            await asyncio.sleep(0.0 if fault is Fault.REFUSED else patience)
            raise Transient("no answer in time" if fault is not Fault.REFUSED else "connection refused")
        return self._answer(fault, request)

    def _answer(self, fault: Fault, request: Request) -> Response:
        code = int(fault.value)
        self._record(request, code)
        headers = {"Retry-After": "3"} if fault is Fault.TOO_MANY else {}
        reasons = {409: "Conflict", 410: "Expired", 422: "Invalid", 429: "TooManyRequests"}
        status = {"kind": "Status", "reason": reasons.get(code, "InternalError"), "message": fault.name, "code": code}
        return Response(code, headers, json.dumps(status).encode())

    def _carry_out(self, request: Request, age: float = 0.0) -> Response:
        response = self._at(age).handle(request)
        self._record(request, response.status)
        return response

    def _at(self, age: float) -> Server:
        if not age:
            return self._server
        then = asyncio.get_running_loop().time() - age
        return next((server for time, server in reversed(self._past) if time <= then), self._server.copy())

    def _record(self, request: Request, status: int) -> None:
        now = asyncio.get_running_loop().time()
        self.calls.append(Call(now, request.method, request.path, status))

    def stream(self, request: Request) -> Any:
        raise NotImplementedError("changes are delivered by `watching.Watch`")

    async def close(self) -> None:
        pass
