"""`wait`: the exit code is what became of the run, through whatever the API server does meanwhile."""

from __future__ import annotations

import pytest
from api_double import ApiDouble, Request, status
from cluster_objects import run
from command_line import Run

ENDS = [
    (run("mnist", "Complete", "Complete"), 0, "mnist Complete: words of Complete"),
    (run("mnist", "Failed", "Failed", Failed_reason="UserError"), 13, "mnist Failed (UserError): words of Failed"),
    (run("mnist", "Suspended", "Suspended"), 3, "mnist Suspended: words of Suspended"),
    (run("mnist", "Failed", "Failed", Failed_reason="HeadLost"), 14, "mnist Failed (HeadLost): words of Failed"),
    (
        run("mnist", "Failed", "Failed", Failed_reason="NewerThanThis"),
        1,
        "mnist Failed (NewerThanThis): words of Failed",
    ),
    (run("mnist", "Invalid"), 12, "mnist Invalid"),
]


@pytest.mark.parametrize(("body", "code", "words"), ENDS, ids=[words.split(":")[0] for _, _, words in ENDS])
def test_the_exit_code_is_the_outcome(cli: Run, double: ApiDouble, body, code, words) -> None:
    double.put("trainingruns", body)
    result = cli("wait", "mnist")
    assert result.exit_code == code
    assert (result.stderr if code else result.stdout).endswith(f"{words}\n")


def test_states_on_the_way_are_told(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Queued"))
    changes = [run("mnist", state) for state in ("Starting", "Running", "Running")]
    double.watches = [[("MODIFIED", body) for body in (*changes, run("mnist", "Complete", "Complete"))]]
    result = cli("wait", "mnist")
    assert result.exit_code == 0
    assert result.stderr == "mnist Queued\nmnist Starting\nmnist Running\n"
    double.watches = [[("MODIFIED", run("mnist", "Complete", "Complete"))]]
    quiet = cli("wait", "mnist", "-q")
    assert (quiet.stdout, quiet.stderr) == ("", "")


def after(double: ApiDouble, part: str, count: int, body) -> None:
    """Put the body once `count` requests of GET to such paths have come."""

    def change(request: Request) -> None:
        if len(double.named("GET", part)) == count:
            double.put("trainingruns", body)

    double.before = change


def test_watches_that_end_are_taken_up_again(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    after(double, "trainingruns", 8, run("mnist", "Complete", "Complete"))
    assert cli("wait", "mnist").exit_code == 0
    assert len([request for request in double.requests if request.query.get("watch")]) >= 3


@pytest.mark.parametrize("code", [429, 500, 503, 410])
def test_an_api_server_that_does_not_answer_is_waited_for(cli: Run, double: ApiDouble, code, monkeypatch) -> None:
    from trainingrun.client import session

    monkeypatch.setattr(session, "_LONGEST_PAUSE_SECONDS", 0.02)
    body = double.put("trainingruns", run())
    answers = iter([(200, body), *[(code, status(code, "Broken", "not now"))] * 8])

    def answer(request: Request) -> tuple[int, object]:
        double.requests.append(request)
        return next(answers, (200, run("mnist", "Complete", "Complete")))

    double.answer = answer  # type: ignore[method-assign]
    result = cli("wait", "mnist")
    assert result.exit_code == 0
    assert len(double.requests) >= 9
    assert result.stderr.count("retrying") == 1


def test_credentials_that_are_refused_meanwhile_end_the_wait(cli: Run, double: ApiDouble) -> None:
    body = double.put("trainingruns", run())
    answers = iter([(200, body)])
    double.answer = lambda request: next(answers, (401, status(401, "Unauthorized", "no")))  # type: ignore[method-assign]
    result = cli("wait", "mnist")
    assert result.exit_code == 4
    assert "does not accept your credentials" in result.stderr


def test_out_of_time_is_124(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    result = cli("wait", "mnist", "--timeout", "1s")
    assert result.exit_code == 124
    assert result.stderr.endswith("mnist: timed out while waiting for its end\n")


@pytest.mark.parametrize("goal", ["PodsReady", "podsready", "condition=PodsReady"])
def test_a_condition_may_be_waited_for(cli: Run, double: ApiDouble, goal) -> None:
    double.put("trainingruns", run("mnist", "Running", "PodsReady"))
    result = cli("wait", "mnist", "--for", goal)
    assert (result.exit_code, result.stdout) == (0, "mnist PodsReady: words of PodsReady\n")


def test_a_condition_that_can_no_longer_come_is_a_failure(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Complete", "Complete"))
    result = cli("wait", "mnist", "--for", "DataStarved")
    assert result.exit_code == 1
    assert result.stderr == "mnist Complete: words of Complete; condition DataStarved can no longer become true\n"


def test_a_suspended_run_may_still_complete(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Suspended", "Suspended"))
    double.watches = [[("MODIFIED", run("mnist", "Complete", "Complete"))]]
    assert cli("wait", "mnist", "--for", "Complete").exit_code == 0


def test_a_stale_status_says_nothing(cli: Run, double: ApiDouble) -> None:
    """A run that has just been resumed still has the condition Suspended of the generation before."""
    stale = run("mnist", "Suspended", "Suspended")
    stale["metadata"]["generation"] = 2
    double.put("trainingruns", stale)
    double.watches = [[("MODIFIED", run("mnist", "Complete", "Complete"))]]
    assert cli("wait", "mnist").exit_code == 0


def test_a_run_that_is_deleted_ends_the_wait(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    double.watches = [[("DELETED", run())]]
    double.before = lambda request: request.query.get("watch") and double.remove("trainingruns", "training", "mnist")
    result = cli("wait", "mnist")
    assert result.exit_code == 4
    assert "mnist was deleted during the wait." in result.stderr


def test_the_deletion_itself_may_be_waited_for(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Complete", "Complete"))
    double.before = lambda request: request.query.get("watch") and double.objects.clear()
    result = cli("wait", "mnist", "--for", "delete")
    assert (result.exit_code, result.stdout) == (0, "mnist deleted\n")


def test_another_run_of_the_same_name_is_not_taken_for_it(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    successor = run("mnist", "Complete", "Complete")
    successor["metadata"]["uid"] = "another"
    double.before = lambda request: request.query.get("watch") and double.put("trainingruns", successor)
    assert cli("wait", "mnist").exit_code == 4


@pytest.mark.parametrize("wrong", [("--for", "Happy"), ("--timeout", "soon"), ("--timeout", ""), ("--timeout", "0s")])
def test_what_cannot_be_waited_for_is_wrong_usage(cli: Run, wrong) -> None:
    result = cli("wait", "mnist", *wrong)
    assert result.exit_code == 2
    assert "allowed:" in result.stderr
