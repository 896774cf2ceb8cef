"""The silence of all runs is told from the silence of one, also when the endpoint's certificate was replaced."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from answering import child_body, run_body

from trainingrun.certificate.issuing import Issued, issue
from trainingrun.engine.cache import Cache
from trainingrun.engine.progress.certificate import Authority, Certificate

STARTED = "2026-09-01T12:00:00Z"
LISTENING = datetime(2026, 9, 1, tzinfo=UTC)


def put(cache: Cache, name: str, minute: int, outcome: str = "Running", version: int = 5) -> None:
    """A run whose attempt began at 12:00 and reported so many minutes later."""
    attempts = [{"index": 0, "outcome": outcome, "startTime": STARTED}]
    report = {"lastUpdatedTime": f"2026-09-01T12:{minute:02}:00Z"}
    cache.put("TrainingRun", run_body(name, f"uid-{name}", version, attempts=attempts, trainerStatus=report))


def heard(cache: Cache, name: str) -> int | None:
    """The minute in which another run than this one was heard."""
    time = cache.observed(f"uid-{name}").others_heard
    return None if time is None else time.minute


def test_each_run_is_told_when_another_was_heard() -> None:
    cache = Cache()
    for name, minute in (("a", 10), ("b", 30), ("c", 20)):
        put(cache, name, minute)
    assert [heard(cache, name) for name in "abcd"] == [30, 20, 30, 30]
    put(cache, "a", 40, version=6)
    assert [heard(cache, name) for name in "abc"] == [30, 40, 40]


@pytest.mark.parametrize(
    ("minute", "outcome"), [(10, "Pending"), (10, "Complete"), (0, "Running")], ids=["waits", "is over", "earlier one"]
)
def test_a_run_that_has_nothing_to_say_is_no_witness(minute: int, outcome: str) -> None:
    cache = Cache()
    put(cache, "a", 10)
    put(cache, "b", minute, outcome)
    assert heard(cache, "a") is None


def test_what_was_heard_of_a_run_that_is_gone_counts_while_others_should_be_heard() -> None:
    cache = Cache()
    for name, minute in (("a", 10), ("b", 5), ("c", 50)):
        put(cache, name, minute)
    cache.forget("TrainingRun", run_body("c", "uid-c", 9))
    assert heard(cache, "a") == 50
    cache.forget("TrainingRun", run_body("b", "uid-b", 9))
    assert heard(cache, "a") is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def new(folder: Path) -> Issued:
    """A certificate by an authority of its own, in the folder's files."""
    issued = issue("progress.svc", datetime.now(UTC))
    for name, text in (("tls.crt", issued.certificate), ("tls.key", issued.key), ("ca.crt", issued.authority)):
        (folder / name).write_bytes(text)
    return issued


def pod(authority: str) -> dict[str, Any]:
    body = child_body("head", 8)
    body["metadata"]["annotations"] = {"trainingrun.dev/progress-ca": authority}
    return body


def test_pods_that_do_not_trust_the_certificate_are_not_waited_for(folder: Path) -> None:
    old = new(folder).authority.decode()
    current = new(folder).authority.decode()
    certificate = Certificate(str(folder / "tls.crt"), str(folder / "tls.key"))
    cache = Cache()
    cache.reports_since, cache.is_trusted = LISTENING, certificate.is_trusted_with
    cache.put("TrainingRun", run_body())
    found = {}
    for number, (given, text) in enumerate({"current": current, "both": old + current, "old": old, "": ""}.items()):
        cache.put("Pod", {**pod(text), "metadata": {**pod(text)["metadata"], "resourceVersion": str(10 + number)}})
        found[given] = cache.observed("run-1").reports_since
    assert found == {"current": LISTENING, "both": LISTENING, "old": None, "": LISTENING}


@pytest.mark.parametrize("authority", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_authority_trusts_nothing(folder: Path, authority: str) -> None:
    new(folder)
    assert not Certificate(str(folder / "tls.crt"), str(folder / "tls.key")).is_trusted_with(authority)


def test_new_pods_get_the_authority_of_now_and_the_one_before(folder: Path) -> None:
    first = new(folder).authority.decode()
    authority = Authority(str(folder / "ca.crt"))
    assert authority.text() == first
    second = new(folder).authority.decode()
    assert authority.text() == authority.text() == second + first
    (folder / "ca.crt").unlink()
    assert authority.text() == second + first


def test_an_author_who_gives_both_gets_them_once(folder: Path) -> None:
    first = new(folder).authority.decode()
    authority = Authority(str(folder / "ca.crt"))
    both = new(folder).authority.decode() + first
    (folder / "ca.crt").write_text(both)
    assert authority.text() == both
