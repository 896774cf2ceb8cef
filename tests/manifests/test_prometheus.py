"""A real Prometheus reads what the operator serves, answers every query of the dashboards, and fires every alert."""

from __future__ import annotations

import asyncio
import math
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml
from aiohttp import ClientSession
from alert_series import ABSENT, FIRING, HEALTHY, MINUTES, case
from exposition import operator
from rendering import Manifests, Object, one
from test_monitoring import DASHBOARDS, NAME, queries

from trainingrun.engine import health
from trainingrun.engine.listener import serve

pytestmark = pytest.mark.extended

T = TypeVar("T")
# What comes in seconds is waited for so long, and no longer.
PATIENCE = 120.0
QUERIES = [(board, query) for board, content in sorted(DASHBOARDS.items()) for query in queries(content)]


@pytest.fixture(scope="module")
def rules(manifests: Manifests, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the Prometheus operator makes of the chart's rules."""
    rule = one(manifests.chart({"metrics": {"prometheusRule": {"enabled": True}}}), "PrometheusRule", NAME)
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    return path


def promtool(prometheus: dict[str, Path], *words: str, given: str = "") -> str:
    """What promtool says, which must be content."""
    command = [str(prometheus["promtool"]), *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_valid(prometheus: dict[str, Path], rules: Path) -> None:
    assert f"{len(FIRING)} rules found" in promtool(prometheus, "check", "rules", "--lint-fatal", str(rules))


def test_each_alert_fires_when_it_should_and_no_other_does(prometheus: dict[str, Path], rules: Path) -> None:
    tests = [
        case(HEALTHY, set(), (5, 61, MINUTES)),
        case(ABSENT, {"TrainingRunOperatorNotActing"}, (10,)),
        *(case({**HEALTHY, **changes}, {alert}, (MINUTES,)) for alert, changes in FIRING.items()),
    ]
    path = rules.with_name("test.yaml")
    path.write_text(yaml.safe_dump({"rule_files": [rules.name], "evaluation_interval": "1m", "tests": tests}))
    promtool(prometheus, "test", "rules", str(path))


def test_the_metrics_have_the_names_and_the_form_that_prometheus_wants(prometheus: dict[str, Path]) -> None:
    async def text() -> str:
        parts, _ = await operator()
        return parts.metrics.text().decode()

    promtool(prometheus, "check", "metrics", given=asyncio.run(text()))


@asynccontextmanager
async def operator_at_work() -> AsyncIterator[int]:
    """The port at which an operator that keeps looking at runs serves its metrics."""
    parts, keys = await operator()
    listener = await serve(health.application(parts.metrics, (), ()), "127.0.0.1", 0)

    async def look() -> None:
        while True:
            for key in keys:
                await parts.worker.look(key)
            await asyncio.sleep(0.2)

    looking = asyncio.create_task(look())
    try:
        yield listener.port
    finally:
        looking.cancel()
        await listener.cleanup()


@asynccontextmanager
async def prometheus_of(program: Path, folder: Path, rules: Path, port: int) -> AsyncIterator[str]:
    """The address of a Prometheus that scrapes this port each second, as the ServiceMonitor has it do."""
    target = {"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "trainingrun-system"}}
    job = {"job_name": f"{NAME}-metrics", "honor_labels": True, "static_configs": [target]}
    settings = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"global": settings, "scrape_configs": [job], "rule_files": [str(rules)]}))
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    said: list[str] = []
    reading = asyncio.create_task(_keep(process.stderr, said))
    try:
        yield await _eventually(lambda: _address_in(said), lambda: "".join(said))
    finally:
        process.kill()
        await process.wait()
        await reading


async def _keep(stream: asyncio.StreamReader, said: list[str]) -> None:
    """Read to the end: who does not read holds up who writes."""
    async for line in stream:
        said.append(line.decode())


async def _address_in(said: list[str]) -> str | None:
    found = re.search(r'msg="Listening on" .*?address=(127\.0\.0\.1:\d+)', "".join(said))
    return f"http://{found[1]}" if found else None


async def _eventually(attempt: Callable[[], Awaitable[T | None]], words: Callable[[], str]) -> T:
    """What comes after a while, else a failure with these words."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while (found := await attempt()) is None:
        assert asyncio.get_running_loop().time() < deadline, words()
        await asyncio.sleep(0.5)
    return found


async def _data(session: ClientSession, path: str, **query: str) -> Any:
    async with session.get(path, params=query) as answer:
        body = await answer.json()
    assert body["status"] == "success", body
    return body["data"]


async def _ask(session: ClientSession) -> dict[str, list[Object]]:
    """What each query finds when all of them find numbers, or when patience ends."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while True:
        answers: dict[str, list[Object]] = {}
        for _, query in QUERIES:
            asked = re.sub(r"\$\w+", ".*", query.replace("$__rate_interval", "10s"))
            answers[query] = (await _data(session, "/api/v1/query", query=asked))["result"]
        if all(map(_are_numbers, answers.values())) or asyncio.get_running_loop().time() > deadline:
            return answers
        await asyncio.sleep(0.5)


async def _evaluated_rules(session: ClientSession) -> list[Object] | None:
    groups = (await _data(session, "/api/v1/rules"))["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    return None if any(rule["health"] == "unknown" for rule in found) else found


def _are_numbers(found: list[Object]) -> bool:
    return bool(found) and not any(math.isnan(float(series["value"][1])) for series in found)


@dataclass(frozen=True)
class Seen:
    """What a Prometheus has seen: the result of each query, its rules and its targets."""

    answers: dict[str, list[Object]]
    rules: list[Object]
    targets: list[Object]


@pytest.fixture(scope="module")
def seen(prometheus: dict[str, Path], rules: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    async def look() -> Seen:
        folder = tmp_path_factory.mktemp("prometheus")
        async with (
            operator_at_work() as port,
            prometheus_of(prometheus["prometheus"], folder, rules, port) as address,
            ClientSession(address) as session,
        ):
            answers = await _ask(session)
            found = await _eventually(lambda: _evaluated_rules(session), lambda: "no rule was evaluated")
            targets = (await _data(session, "/api/v1/targets"))["activeTargets"]
            return Seen(answers, found, targets)

    return asyncio.run(look())


def test_prometheus_reads_what_the_operator_serves(seen: Seen) -> None:
    (target,) = seen.targets
    assert (target["health"], target["lastError"]) == ("up", "")


@pytest.mark.parametrize(("board", "query"), QUERIES)
def test_a_query_of_a_dashboard_finds_numbers(seen: Seen, board: str, query: str) -> None:
    assert _are_numbers(seen.answers[query]), seen.answers[query]


def test_variables_offer_the_namespaces_of_runs_and_the_jobs_of_operators(seen: Seen) -> None:
    (progress,) = {
        query for _, query in QUERIES if query.startswith("max by (namespace, run) (trainingrun_run_progress")
    }
    assert {series["metric"]["namespace"] for series in seen.answers[progress]} == {"e2e-pipelines"}


def test_every_rule_can_be_evaluated_and_tells_which_run_has_failed(seen: Seen) -> None:
    assert {(rule["health"], rule.get("lastError", "")) for rule in seen.rules} == {("ok", "")}
    said = {rule["name"]: [alert["annotations"]["summary"] for alert in rule["alerts"]] for rule in seen.rules}
    assert said["TrainingRunFailed"] == ["The run e2e-pipelines/failed has failed"]
