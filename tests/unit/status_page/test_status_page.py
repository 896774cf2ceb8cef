"""The page of a run in each state, as files, so that a change of words is reviewed as a change of pages.

After a change that is meant, write the files anew and look at their difference:

    TRAININGRUN_UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/status_page
"""

from __future__ import annotations

import copy
import io
import os
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from rich.console import Console
from status_page_runs import CHECKPOINT, NOW, STATES, attempt, condition, run, running

from trainingrun.contract.failure_class import FailureClass
from trainingrun.status.fields import State
from trainingrun.status_page import Caller, run_view_of
from trainingrun.status_page.page import status_page

PAGES = Path(__file__).parent / "pages"


def page(
    body: dict[str, Any], *, width: int = 110, program: str = "trainingrun", flags: str = "", colour: bool = False
) -> str:
    stream = io.StringIO()
    system = "standard" if colour else None
    console = Console(file=stream, width=width, color_system=system, force_terminal=colour, highlight=False)
    console.print(status_page(run_view_of(body), NOW, Caller(program, flags)))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


@pytest.mark.parametrize("name", STATES)
def test_a_run_is_told_as_in_the_file_of_its_state(name):
    golden = PAGES / f"{name}.txt"
    shown = page(STATES[name])
    if os.environ.get("TRAININGRUN_UPDATE_GOLDEN"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


def test_every_page_has_its_run_and_every_state_its_page():
    assert {path.stem for path in PAGES.glob("*.txt")} == set(STATES)
    assert {body["status"].get("state") for body in STATES.values()} - {None} == set(get_args(State))


def test_a_claim_that_is_not_there_is_to_be_created_and_no_node_freed():
    words = 'Pod a: 0/3 nodes are available: persistentvolumeclaim "no-such-claim" not found.'
    shown = " ".join(page(run("Starting", condition("PodsReady", "False", "Unschedulable", words))).split())
    assert "Create the PersistentVolumeClaim no-such-claim, or name one that `kubectl get pvc -n" in shown
    assert "No node fits a pod" not in shown


@pytest.mark.parametrize("name", FailureClass)
def test_every_class_of_failure_has_advice_of_its_own(name):
    failed = condition("Failed", "True", name, "words")
    body = run("Failed", failed, attempts=[attempt(0, "Failed", failureClass=name)])
    unknown = condition("Failed", "True", "NewInALaterVersion", "words")
    assert "Read the message of the last attempt." in page(run("Failed", unknown))
    assert "Read the message of the last attempt." not in page(body)


def test_commands_are_shown_as_the_program_was_called():
    assert "kubectl trainingrun logs mnist -n training -f" in page(running(), program="kubectl trainingrun")


def test_commands_go_to_the_cluster_that_was_asked():
    pages = [page(body, width=300, flags=" --context prod") for body in STATES.values()]
    commands = [line for shown in pages for line in shown.splitlines() if "kubectl " in line]
    assert len(commands) > 4
    assert [command for command in commands if " --context prod" not in command] == []
    assert "trainingrun logs mnist -n training --context prod -f" in page(running(), flags=" --context prod")


def test_a_narrow_terminal_shows_each_attempt_as_a_paragraph():
    body = copy.deepcopy(STATES["failed"])
    body["status"]["attempts"][0] |= {"node": "gke-training-gpu-pool-1-5b7a11f2-x7k2"}
    lines = page(body, width=80).splitlines()
    title = next(index for index, line in enumerate(lines) if line.startswith("attempt 0"))
    assert lines[title] == "attempt 0  Failed: UserError, exit code 13, 15 min 30 s"
    assert lines[title + 1].startswith("  node gke-training-gpu-pool-1-5b7a11f2-x7k2; ValueError: 11 classes")


def test_a_traceback_keeps_its_indentation():
    body = copy.deepcopy(STATES["failed"])
    body["status"]["attempts"][0]["message"] = "ValueError: no\n\n  File x, line 1\n\traise\n" + " " * 50 + "deep"
    shown = page(body)
    assert "\n  ValueError: no\n    File x, line 1\n      raise\n" + " " * 18 + "deep\n" in shown


@pytest.mark.parametrize("address", ["http://head-svc.training.svc:8265", "head-svc.training.svc.cluster.local:8265"])
def test_the_dashboard_is_told_by_the_command_that_reaches_it(address):
    body = running()
    body["status"]["links"] = {"dashboardURL": address}
    assert "after kubectl port-forward -n training service/head-svc 8265\n" in page(body)


@pytest.mark.parametrize("width", [20, 40, 80, 300])
def test_no_line_is_wider_than_the_terminal(width):
    for body in STATES.values():
        assert max(len(line) for line in page(body, width=width).splitlines()) <= width


def test_what_a_status_holds_is_never_read_as_markup_or_as_control_codes():
    body = copy.deepcopy(STATES["failed"])
    body["status"]["attempts"][0]["message"] = "[bold]not[/bold] \x1b[31mred\x07"
    body["status"]["conditions"][0]["message"] = "[/] [link=x]\x1b]0;title\x07"
    shown = page(body)
    assert "[bold]not[/bold] [31mred" in shown
    assert "[/] [link=x] ]0;title" in shown
    assert not any(character < " " for character in shown.replace("\n", ""))


def test_a_terminal_shows_states_in_colour():
    assert "\x1b[1;31mFailed" in page(STATES["failed"], colour=True)
    assert "\x1b[1;32mComplete" in page(STATES["complete"], colour=True)


def test_a_change_that_the_operator_has_not_seen_is_not_told_as_done():
    body = copy.deepcopy(STATES["suspended"])
    body["metadata"]["generation"] = 2
    assert "The operator has not seen the last change yet." in page(body)


def test_an_operator_that_looks_away_for_long_is_suspected():
    body = copy.deepcopy(STATES["new"])
    late = NOW - timedelta(seconds=31)
    body["metadata"]["creationTimestamp"] = late.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "may not be running" in page(body)
    assert "may not be running" not in page(STATES["new"])


def test_a_run_that_goes_on_says_from_where():
    assert f"continues from {CHECKPOINT}." in page(STATES["restarting"])
    body = copy.deepcopy(STATES["restarting"])
    del body["status"]["outputs"]
    assert "No checkpoint has been reported" in page(body)


def test_a_checkpoint_on_a_claim_is_also_told_by_its_path_in_pods():
    body = copy.deepcopy(STATES["complete"])
    body["spec"]["storage"] = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}
    body["status"]["outputs"] = {"last": {"uri": "pvc://models/5f4c1f0a/step-1"}, "best": {"uri": [7], "metrics": "x"}}
    shown = page(body)
    assert "checkpoint   pvc://models/5f4c1f0a/step-1\n             mounted at /mnt/models/5f4c1f0a/step-1\n" in shown
    assert "best" not in shown and "--best" not in shown
