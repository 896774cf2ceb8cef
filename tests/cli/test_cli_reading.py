"""`get`, `status` and `top`: what they print of the objects that an API server holds."""

from __future__ import annotations

import io
import json

import pytest
import yaml
from api_double import ApiDouble, Fault, forbidden
from api_double import status as status_of
from cluster_objects import attempt, run
from command_line import Run
from rich.console import Console

from trainingrun.cli import status

REFUSED = Fault("GET", "trainingruns", 403, forbidden("list", "trainingruns"))
METRICS = [{"name": "rowsPerSecond", "value": "12400"}, {"name": "goodputPercentage", "value": "93"}]


@pytest.fixture(autouse=True)
def _runs(double: ApiDouble) -> None:
    figures = {"pods": "5/5", "attempts": [attempt()], "trainerStatus": {"progressPercentage": 45, "metrics": METRICS}}
    double.put("trainingruns", run("mnist", **figures, dataStatus={"readyNodes": 1, "stallPercentage": 12}))
    double.put("trainingruns", run("cifar", "Queued"))
    double.put("trainingruns", run("other", "Complete", "Complete", namespace="research"))


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_list_has_the_runs_of_the_context_s_namespace(cli: Run) -> None:
    heading, first, second = lines(cli("get").stdout)
    assert heading == ["NAME", "STATE", "PODS", "PROGRESS", "STALL", "ATTEMPT", "AGE"]
    assert first[:2] == ["cifar", "Queued"]
    assert second[:6] == ["mnist", "Running", "5/5", "45%", "12%", "0"]


def test_a_namespace_or_all_may_be_asked_for(cli: Run) -> None:
    assert [line[0] for line in lines(cli("get", "-n", "research").stdout)] == ["NAME", "other"]
    everywhere = lines(cli("get", "-A").stdout)
    assert [line[:2] for line in everywhere] == [
        ["NAMESPACE", "NAME"],
        ["research", "other"],
        ["training", "cifar"],
        ["training", "mnist"],
    ]
    assert cli("get", "-A", "-n", "research").exit_code == 2


def test_columns_stand_below_each_other(cli: Run) -> None:
    heading, *rows = cli("get", "-o", "wide").stdout.splitlines()
    for row, state in zip(rows, ("Queued", "Running"), strict=True):
        assert row.index(state) == heading.index("STATE")


def test_objects_are_printed_as_they_are_without_managed_fields(cli: Run) -> None:
    one = json.loads(cli("get", "mnist", "-o", "json").stdout)
    assert one["metadata"]["name"] == "mnist"
    assert one["status"]["pods"] == "5/5"
    assert "managedFields" not in one["metadata"]
    several = yaml.safe_load(cli("get", "-o", "yaml").stdout)
    assert [item["metadata"]["name"] for item in several["items"]] == ["cifar", "mnist"]
    assert yaml.safe_load(cli("status", "mnist", "-o", "yaml").stdout) == one
    assert cli("get", "mnist", "-o", "name").stdout == "trainingrun.trainingrun.dev/mnist\n"


def test_an_empty_list_says_where_it_looked(cli: Run) -> None:
    result = cli("get", "-n", "empty")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "There are no runs in namespace empty.\n"


def test_a_list_that_is_watched_tells_each_run_that_changes(cli: Run, double: ApiDouble) -> None:
    complete = run("mnist", "Complete", "Complete")
    complete["metadata"]["resourceVersion"] = "900"
    deleted = run("cifar", "Queued")
    deleted["metadata"]["resourceVersion"] = "901"
    double.watches = [[("BOOKMARK", complete), ("MODIFIED", complete), ("MODIFIED", complete), ("DELETED", deleted)]]
    # The second list finds nothing new; then the server refuses, which ends the command.
    double.before = lambda request: double.faults.extend([REFUSED] * (len(double.named("GET")) == 4))
    result = cli("get", "-w")
    assert result.exit_code == 4
    assert [line[:2] for line in lines(result.stdout)] == [
        ["NAME", "STATE"],
        ["cifar", "Queued"],
        ["mnist", "Running"],
        ["mnist", "Complete"],
        ["cifar", "Deleting"],
        ["cifar", "Queued"],
        ["mnist", "Running"],
    ]


def test_an_outage_while_watching_is_waited_for(cli: Run, double: ApiDouble) -> None:
    unavailable = Fault("GET", "trainingruns", 503, status_of(503, "Unavailable", "not now"), times=2)
    double.before = lambda request: double.faults.extend(
        [unavailable] * (len(double.named("GET")) == 2) + [REFUSED] * (len(double.named("GET")) == 6)
    )
    result = cli("get", "-w")
    assert result.exit_code == 4
    assert result.stderr.count("The API server does not respond, retrying") == 2
    assert cli("get", "-w", "-o", "json").exit_code == 2


def test_a_watched_name_has_to_be_there(cli: Run, double: ApiDouble) -> None:
    assert "Did you mean mnist?" in cli("get", "mnis", "-w").stderr


def test_labels_select(cli: Run, double: ApiDouble) -> None:
    cli("get", "-l", "team=vision")
    assert double.requests[-1].query["labelSelector"] == "team=vision"


def test_a_status_is_a_page(cli: Run) -> None:
    result = cli("status", "mnist")
    assert result.exit_code == 0
    assert result.stdout.startswith("training/mnist  Running\n")
    assert "12.4 k rows/s, goodput 93.0%" in result.stdout
    assert "next         Follow it with `trainingrun logs mnist -n training -f`." in result.stdout
    assert "\x1b" not in result.stdout


def test_a_watched_status_is_shown_anew_at_every_change_until_the_run_is_gone(cli: Run, double: ApiDouble) -> None:
    complete = double.put("trainingruns", run("mnist", "Complete", "Complete"))
    double.put("trainingruns", run("mnist"))
    double.watches = [[("BOOKMARK", run()), ("MODIFIED", complete), ("DELETED", complete)]]
    double.before = lambda request: request.query.get("watch") and double.remove("trainingruns", "training", "mnist")
    result = cli("status", "mnist", "--watch")
    pages = [line for line in result.stdout.splitlines() if line.startswith("training/mnist")]
    assert pages == ["training/mnist  Running", "training/mnist  Complete"]
    assert result.stdout.endswith("mnist was deleted.\n")


def test_a_terminal_is_redrawn_in_place(cli: Run, double: ApiDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, height=40, color_system=None)
    monkeypatch.setattr(status, "page_console", lambda: console)
    complete = double.put("trainingruns", run("mnist", "Complete", "Complete"))
    double.put("trainingruns", run("mnist"))
    double.watches = [[("MODIFIED", complete)]]
    double.before = lambda request: request.query.get("watch") and double.remove("trainingruns", "training", "mnist")
    result = cli("status", "mnist", "--watch")
    assert (result.exit_code, result.stdout) == (0, "mnist was deleted.\n")
    first, _, later = screen.getvalue().partition("training/mnist  Complete")
    assert "training/mnist  Running" in first
    assert "\x1b[1A" in first
    assert "Running" not in later


def test_top_shows_runs_that_run_and_a_named_one_in_any_state(cli: Run) -> None:
    heading, row = lines(cli("top").stdout)
    assert heading[:4] == ["NAME", "STATE", "TRAINERS", "DATA"]
    assert row == ["mnist", "Running", "2", "1/2", "45%", "-", "12%", "-", "12.4", "k", "93%"]
    assert lines(cli("top", "cifar").stdout)[1][:2] == ["cifar", "Queued"]
    result = cli("top", "-n", "research")
    assert (result.stdout, result.stderr) == (
        "",
        "No run is active. Run `trainingrun get -n research` to list all runs.\n",
    )


def test_top_for_programs_names_its_figures(cli: Run) -> None:
    (figures,) = json.loads(cli("top", "-o", "json").stdout)
    assert (figures["name"], figures["stallPercentage"], figures["rowsPerSecond"]) == ("mnist", 12, 12400)
    assert figures["stallCause"] is None
    assert json.loads(cli("top", "cifar", "-o", "json").stdout)["state"] == "Queued"
