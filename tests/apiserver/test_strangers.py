"""Whoever can reach the progress endpoint without being a run's pod can neither stop the operator nor slow it down."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import aiohttp
import pytest
from control_plane import ControlPlane
from operator_process import OperatorProcess
from progress_reports import AUDIENCE, head_of, report
from raw_client import RawClient
from training_runs import TrainingRuns

pytestmark = pytest.mark.usefixtures("kuberay", "kubelet")

CONNECTIONS, TOKENS = 2000, 10_000
MOST_BYTES = 200 << 20
# Long enough for a busy machine, and shorter than any outage.
SOON_SECONDS = 15
STRANGER = "127.0.0.9"
HALF_A_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


@contextmanager
def in_background(work: Callable[[], Any]) -> Iterator[None]:
    thread = Thread(target=work)
    thread.start()
    yield
    thread.join()


def token(number: int) -> str:
    """Of four tokens, one is none, one is for others, one has ended, and one names a pod that may exist."""
    if number % 4 == 0:
        return f"junk-{number}"
    claims = {
        "aud": ["vault" if number % 4 == 1 else AUDIENCE],
        "exp": int(time.time()) + (-7200 if number % 4 == 2 else 3600),
        "kubernetes.io": {"namespace": "default", "pod": {"name": "trainer", "uid": f"uid-{number}"}},
    }
    parts = ({"alg": "ES256"}, claims, {"signature": number})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


async def hold_connections(port: int, seconds: float) -> None:
    """Keep connections open of which no handshake is ever finished; what is closed comes again."""
    end = time.monotonic() + seconds

    async def hold(number: int) -> None:
        while (left := end - time.monotonic()) > 0:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(STRANGER, 0))
                writer.write(HALF_A_HELLO if number % 2 else b"")
                await asyncio.wait_for(reader.read(), left)
                writer.close()
            except (OSError, TimeoutError):
                pass
            await asyncio.sleep(1)

    await asyncio.gather(*map(hold, range(CONNECTIONS)))


async def send_tokens(url: str, answers: Counter[int]) -> None:
    """Send one token after the other, over a few connections."""
    numbers = iter(range(TOKENS))
    connector = aiohttp.TCPConnector(ssl=False, local_addr=(STRANGER, 0))
    path = f"{url}/apis/v1beta1/namespaces/default/trainingruns/any/status"

    async def send(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            headers = {"Authorization": f"Bearer {token(number)}"}
            try:
                async with session.post(path, data=b"{}", headers=headers) as answer:
                    answers[answer.status] += 1
            except (aiohttp.ClientError, OSError):
                answers[0] += 1

    async with aiohttp.ClientSession(connector=connector) as session:
        await asyncio.gather(*(send(session) for _ in range(16)))


def reviews(operator: OperatorProcess) -> int:
    found = re.findall(r'^trainingrun_api_requests_total{.*resource="tokenreviews".*} (\S+)$', operator.metrics(), re.M)
    return int(sum(map(float, found)))


def test_unfinished_connections_and_junk_tokens_cost_little_and_hold_nobody_up(
    control_plane: ControlPlane, runs: TrainingRuns, admin: RawClient, operators: Callable[..., OperatorProcess]
) -> None:
    operator = operators("with-strangers", tls=True)
    answers = Counter[int]()
    runs.apply("honest")
    mine = control_plane.token_of(runs.namespace, "default", [AUDIENCE], head_of(admin, runs.namespace, "honest"))

    def reconciles_and_takes_reports(name: str) -> None:
        began = time.monotonic()
        runs.apply(name)
        admin.until(lambda: runs.ray_job(name) in names(), f"the RayJob of {name}", SOON_SECONDS)
        ca = control_plane.certificates.ca
        assert report(operator.progress_url, runs.namespace, "honest", mine, 1, ca=ca) in (200, 202)
        assert time.monotonic() - began < SOON_SECONDS
        assert operator.readiness() == (200, "ok")

    def names() -> list[str]:
        return [job["metadata"]["name"] for job in admin.list("rayjobs", runs.namespace)]

    with in_background(lambda: asyncio.run(hold_connections(operator.progress_port, 8))):
        for number in range(3):
            time.sleep(0.5)
            reconciles_and_takes_reports(f"beside-connections-{number}")
    before = reviews(operator)
    with in_background(lambda: asyncio.run(send_tokens(operator.progress_url, answers))):
        for number in range(3):
            reconciles_and_takes_reports(f"beside-tokens-{number}")
    assert operator.peak_bytes < MOST_BYTES
    # Those that name a pod are asked about, a few in a minute; nothing else is.
    assert answers[401] >= TOKENS * 3 / 4 * 0.99 and answers[429] > TOKENS / 4 * 0.9
    assert answers.total() == TOKENS and answers[200] == answers[202] == 0
    assert 0 < reviews(operator) - before < 100
