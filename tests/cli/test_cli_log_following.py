"""`logs -f`: through all attempts, outages and cut connections, until the run has ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from api_double import ApiDouble, Fault, Request, status
from cluster_objects import attempt, run
from command_line import Run
from log_objects import dashboard, live_run, spoken

from trainingrun.client import log_following


@pytest.fixture(autouse=True)
def _live(double: ApiDouble) -> None:
    live_run(double)


def ends(double: ApiDouble, after: int, body) -> None:
    """The run gets this body once it was read `after` times."""

    def change(request: Request) -> None:
        if len(double.named("GET", "/trainingruns/mnist")) == after and request.path.endswith("/trainingruns/mnist"):
            double.put("trainingruns", body)

    double.before = change


def test_following_ends_with_the_run(cli: Run, double: ApiDouble) -> None:
    ends(double, 6, run("mnist", "Complete", "Complete", attempts=[attempt(1, "Complete")]))
    result = cli("logs", "mnist", "-f", "--group", "data", "--group", "trainer")
    assert result.exit_code == 0
    assert sorted(spoken(result.stdout)) == [
        ("data/x7k2p", "data of attempt 1"),
        ("trainer/x7k2p", "trainer of attempt 1"),
    ]
    assert result.stderr == "mnist Running\nmnist Complete\nmnist Complete: words of Complete\n"
    assert {request.query["follow"] for request in double.named("GET", "/log")} == {"true"}


def test_following_goes_from_attempt_to_attempt(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Running", attempts=[attempt(0)]))
    states = {
        4: run("mnist", "Restarting", attempts=[attempt(0, "Failed"), attempt(1, "Pending")]),
        8: run("mnist", "Failed", "Failed", Failed_reason="UserError", attempts=[attempt(1, "Failed")]),
    }

    def change(request: Request) -> None:
        count = len(double.named("GET", "/trainingruns/mnist"))
        if request.path.endswith("/trainingruns/mnist") and count in states:
            double.put("trainingruns", states.pop(count))

    double.before = change
    result = cli("logs", "mnist", "-f", "--group", "trainer")
    assert result.exit_code == 0
    assert [text for _, text in spoken(result.stdout)] == ["trainer of attempt 0", "trainer of attempt 1"]
    assert result.stderr.endswith("mnist Restarting\nmnist Failed\nmnist Failed (UserError): words of Failed\n")


def test_a_driver_s_cut_stream_is_taken_up_without_repeating_a_line(cli: Run, double: ApiDouble) -> None:
    ends(double, 30, run("mnist", "Complete", "Complete", attempts=[attempt(1, "Complete")]))
    written = [f"line {number}" for number in range(6)]

    def answer(request: Request) -> tuple[int, str]:
        streams = len(double.named("GET", "/api/v0/logs/stream"))
        return dashboard(*written[: 2 * streams])(request)

    double.dashboard = answer
    result = cli("logs", "mnist", "-f", "--group", "driver")
    assert result.stdout.splitlines() == written
    assert len(double.named("GET", "/api/v0/logs/stream")) >= 3


@pytest.mark.parametrize(("patience", "told"), [(15.0, 0), (0.0, 1)], ids=["soon over", "lasting"])
def test_a_driver_that_is_gone_after_its_last_line_is_told_only_if_that_lasts(
    cli: Run, double: ApiDouble, monkeypatch: pytest.MonkeyPatch, patience: float, told: int
) -> None:
    monkeypatch.setattr(log_following, "_CUT_SECONDS", patience)
    ends(double, 12, run("mnist", "Complete", "Complete", attempts=[attempt(1, "Complete")]))
    gone = (404, json.dumps(status(404, "NotFound", "there is no head")))

    def answer(request: Request) -> tuple[int, str]:
        return gone if len(double.named("GET", "/api/v0/logs/stream")) > 1 else dashboard("the last line")(request)

    double.dashboard = answer
    result = cli("logs", "mnist", "-f", "--group", "driver")
    assert result.stdout == "the last line\n"
    assert result.stderr.count("there is no head") == told


def test_an_outage_while_following_is_waited_out_and_told_once(cli: Run, double: ApiDouble) -> None:
    ends(double, 30, run("mnist", "Complete", "Complete", attempts=[attempt(1, "Complete")]))
    outage = status(503, "Unavailable", "the server is shutting down")

    def break_down(request: Request) -> None:
        if len(double.named("GET", "/trainingruns/mnist")) == 4:
            double.faults = [Fault("GET", "", 503, outage, times=5)]

    later = double.before
    double.before = lambda request: (break_down(request), later(request))  # type: ignore[func-returns-value]
    result = cli("logs", "mnist", "-f", "--group", "data")
    assert result.exit_code == 0
    assert result.stderr.count("The API server does not respond, retrying") == 1


def test_a_run_that_is_deleted_ends_the_following(cli: Run, double: ApiDouble) -> None:
    def delete(request: Request) -> None:
        if len(double.named("GET", "/trainingruns/mnist")) == 4:
            double.objects.pop(("trainingruns", "training", "mnist"), None)

    double.before = delete
    result = cli("logs", "mnist", "-f", "--group", "data")
    assert result.exit_code == 4
    assert result.stderr.endswith("Error: mnist was deleted.\n")


def test_following_a_run_that_is_over_prints_what_there_is(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Complete", "Complete", attempts=[attempt(1, "Complete")]))
    result = cli("logs", "mnist", "-f", "--group", "driver")
    assert (result.exit_code, result.stdout) == (0, "epoch 0\nepoch 1\n")


def test_submit_may_follow_its_run_and_ends_with_its_outcome(cli: Run, double: ApiDouble) -> None:
    sample = Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml"
    body = run("mnist", "Failed", "Failed", Failed_reason="UserError", attempts=[attempt(1, "Failed")])
    del double.objects["trainingruns", "training", "mnist"]

    def train(request: Request) -> None:
        count = len(double.named("GET", "/trainingruns/mnist"))
        if count == 2:
            double.put("trainingruns", run("mnist", "Running", attempts=[attempt(1)]))
        if count == 20:
            double.put("trainingruns", body)

    double.before = train
    result = cli("submit", "-f", str(sample), "--follow")
    assert result.exit_code == 13
    assert ("driver", "epoch 0") in spoken(result.stdout.removeprefix("mnist submitted\n"))
    assert result.stderr.endswith("mnist Failed (UserError): words of Failed\n")
