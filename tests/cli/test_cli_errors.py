"""What goes wrong is one sentence with what to do next, and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_double import ApiDouble, Fault, forbidden, status
from cluster_objects import run
from command_line import Run

CLUSTER_COMMANDS = [
    ("get",),
    ("status", "mnist"),
    ("logs", "mnist"),
    ("wait", "mnist"),
    ("top",),
    ("suspend", "mnist"),
    ("resume", "mnist"),
    ("delete", "mnist"),
    ("download", "mnist"),
    ("upload", str(Path(__file__).parent), "models"),
    ("submit", "-f", str(Path(__file__).parents[2] / "manifests" / "samples" / "minimal.yaml")),
]
every_command = pytest.mark.parametrize("arguments", CLUSTER_COMMANDS, ids=lambda arguments: arguments[0])


def error_of(cli: Run, *arguments: str) -> str:
    """The one line that a command which cannot go on says."""
    result = cli(*arguments)
    assert (result.exit_code, result.stdout) == (4, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith((".", "?", "default", ")"))
    return line


@every_command
def test_an_api_server_out_of_reach_is_said_to_be(cli: Run, arguments) -> None:
    line = error_of(cli, *arguments, "--context", "nowhere")
    assert "The API server http://127.0.0.1:9 cannot be reached" in line
    assert "choose another --context" in line


@every_command
def test_a_cluster_without_the_resource_says_how_to_install_it(cli: Run, double: ApiDouble, arguments) -> None:
    double.faults = [Fault(method, "trainingruns", 404, "404 page not found") for method in ("GET", "PATCH")]
    line = error_of(cli, *arguments)
    assert "This cluster does not know TrainingRun (trainingrun.dev). Install the operator first: kubectl apply" in line


@every_command
def test_a_missing_permission_is_named(cli: Run, double: ApiDouble, arguments) -> None:
    verb, method = ("patch", "PATCH") if arguments[0] == "submit" else ("get", "GET")
    double.faults = [Fault(method, "trainingruns", 403, forbidden(verb, "trainingruns"))]
    line = error_of(cli, *arguments)
    assert f"You may not {verb} trainingruns.trainingrun.dev in namespace training." in line
    assert "Ask the cluster's administrator" in line


def test_a_request_without_credentials_is_not_taken_for_a_missing_role(cli: Run, double: ApiDouble) -> None:
    words = 'trainingruns is forbidden: User "system:anonymous" cannot list resource "trainingruns" in API group ""'
    double.faults = [Fault("GET", "", 403, status(403, "Forbidden", words))]
    assert "does not accept your credentials. Log in again" in error_of(cli, "get")


@every_command
def test_an_api_server_that_is_overloaded_is_to_be_asked_again(cli: Run, double: ApiDouble, arguments) -> None:
    double.faults = [
        Fault(method, "", 503, status(503, "Unavailable", "etcd has no leader")) for method in ("GET", "PATCH")
    ]
    assert "is not available (503: etcd has no leader). Retry in a moment." in error_of(cli, *arguments)


@pytest.mark.parametrize("command", ["get", "status", "logs", "wait", "top", "suspend", "resume", "delete"])
def test_a_run_that_is_not_there_is_answered_with_the_nearest_name(cli: Run, double: ApiDouble, command) -> None:
    double.put("trainingruns", run("mnist-large"))
    line = error_of(cli, command, "mnist-larg")
    assert line == "Error: There is no TrainingRun mnist-larg in namespace training. Did you mean mnist-large?"


def test_without_a_near_name_the_command_that_lists_all_is_named(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist"))
    line = error_of(cli, "status", "zebra", "--context", "double", "-n", "research")
    assert line.endswith("zebra in namespace research. Run `trainingrun get -A --context double` to list all runs.")


@pytest.mark.parametrize("command", ["suspend", "delete"])
def test_a_change_that_somebody_else_overtook_may_be_tried_again(cli: Run, double: ApiDouble, command) -> None:
    double.put("trainingruns", run())
    words = "the UID in the precondition does not match the UID in record"
    double.faults = [Fault(method, "", 409, status(409, "Conflict", words)) for method in ("PATCH", "DELETE")]
    assert f"Someone else changed it in the meantime: {words}. Retry the command." in error_of(cli, command, "mnist")


def test_other_refusals_are_passed_on_in_the_server_s_words(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    words = 'admission webhook "policy.acme" denied the request: only on Mondays'
    double.faults = [Fault("PATCH", "", 403, status(403, "Forbidden", words))]
    assert error_of(cli, "suspend", "mnist") == f"Error: The API server refuses it: {words}."


def test_a_context_that_is_not_there_is_answered_with_those_that_are(cli: Run, kubeconfig: Path) -> None:
    line = error_of(cli, "get", "--context", "production")
    assert f"{kubeconfig} has no context production; it has double, nowhere." in line


def test_a_kubeconfig_that_is_not_there_is_named(cli: Run, monkeypatch, tmp_path: Path) -> None:
    assert "There is no kubeconfig at /absent." in error_of(cli, "get", "--kubeconfig", "/absent")
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "There is no kubeconfig at ~/.kube/config. Choose a cluster with --kubeconfig" in error_of(cli, "get")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "text", "contexts: 3", "contexts: [1]", "current-context: x\ncontexts: [{name: x}]", "a: !!x 1"],
)
def test_a_damaged_kubeconfig_is_said_to_be(cli: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "damaged"
    path.write_text(text)
    line = error_of(cli, "get", "--kubeconfig", str(path))
    assert "Choose a cluster with --kubeconfig, $KUBECONFIG or --context." in line
