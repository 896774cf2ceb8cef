"""Settings come from flags, then from the environment; a wrong one stops the operator with one sentence."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from trainingrun.cli import main
from trainingrun.engine.settings import InvalidSettings, Settings, flag_of, load_settings, variable_of

PREFIX = "TRAININGRUN_OPERATOR_"


def test_without_flags_and_variables_everything_has_its_default() -> None:
    assert load_settings({}, {}) == Settings()


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("NAMESPACES", "a, b,,", "namespaces", ("a", "b")),
        ("WORKERS", "7", "workers", 7),
        ("LEADER_ELECTION", "False", "leader_election", False),
        ("LOG_LEVEL", " debug ", "log_level", "debug"),
        ("WORKERS", "", "workers", 16),
        ("PROGRESS_URL", "https://x.svc", "progress_url", "https://x.svc"),
    ],
)
def test_a_variable_sets_what_it_names(variable: str, text: str, name: str, value: Any) -> None:
    assert getattr(load_settings({}, {PREFIX + variable: text}), name) == value


@pytest.mark.parametrize(
    ("flags", "environment", "name", "value"),
    [
        ({"workers": 3}, {"WORKERS": "7"}, "workers", 3),
        ({"workers": None}, {"WORKERS": "7"}, "workers", 7),
        ({"namespaces": ("a",)}, {"NAMESPACES": "b"}, "namespaces", ("a",)),
        ({"namespaces": ()}, {"NAMESPACES": "b"}, "namespaces", ("b",)),
        ({"leader_election": False}, {"LEADER_ELECTION": "true"}, "leader_election", False),
    ],
)
def test_a_flag_comes_before_its_variable(
    flags: dict[str, Any], environment: dict[str, str], name: str, value: Any
) -> None:
    read = load_settings(flags, {PREFIX + variable: text for variable, text in environment.items()})
    assert getattr(read, name) == value


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"workers": 0}, "--workers: found 0, allowed: 1 to 256"),
        ({"max_writes": 999}, "--max-writes: found 999, allowed: 1 to 256"),
        ({"resync_seconds": 5}, "--resync-seconds: found 5, allowed: 30 to 86400"),
        ({"lease_seconds": 1}, "--lease-seconds: found 1, allowed: 5 to 300"),
        ({"health_port": 70000}, "--health-port: found 70000, allowed: 1 to 65535"),
        ({"log_level": "loud"}, "--log-level: found 'loud', allowed: debug, info, warning, error"),
        ({"namespaces": ("Team",)}, "--namespace: found 'Team', allowed: the name of a namespace"),
        ({"lease_namespace": "Team"}, "--lease-namespace: found 'Team', allowed: the name of a namespace"),
        ({"lease_name": "My lease"}, "--lease-name: found 'My lease', allowed: lower-case letters, digits, '-'"),
        ({"lease_name": "x" * 254}, "--lease-name: found 'xxx"),
        ({"progress_url": "x.svc"}, "--progress-url: found 'x.svc', allowed: an http or https URL"),
        (
            {"progress_url": "https://x", "health_port": 8443},
            "--progress-port: found 8443, must differ from --health-port",
        ),
        ({"progress_key": __file__}, "--progress-certificate and --progress-key: found only one of them"),
        ({"progress_ca": "/no/such/file"}, "--progress-ca: found '/no/such/file', allowed: a PEM file"),
        ({"progress_ca": "/"}, "--progress-ca: found '/', allowed: a PEM file"),
        (
            {"progress_certificate": __file__, "progress_key": __file__},
            "--progress-certificate: found a certificate that cannot be used",
        ),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence(flags: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidSettings) as told:
        load_settings(flags, {})
    assert str(told.value).startswith(sentence)


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("WORKERS", "many", "a whole number"),
        ("WORKERS", "-3", "a whole number"),
        ("WORKERS", "9" * 30, "a whole number"),
        ("LEADER_ELECTION", "yes", "true or false"),
    ],
)
def test_a_variable_that_cannot_be_read_is_told_by_its_name(variable: str, text: str, allowed: str) -> None:
    with pytest.raises(InvalidSettings) as told:
        load_settings({}, {PREFIX + variable: text})
    assert str(told.value) == f"{PREFIX}{variable}: found {text!r}, allowed: {allowed}"


def test_flags_and_variables_are_named_after_their_setting() -> None:
    names = [field.name for field in dataclasses.fields(Settings)]
    assert len({flag_of(name) for name in names} | {variable_of(name) for name in names}) == 2 * len(names)
    assert (flag_of("health_port"), variable_of("health_port")) == ("--health-port", f"{PREFIX}HEALTH_PORT")
    assert flag_of("namespaces") == "--namespace"


def test_a_rendering_gets_the_certificates_that_pods_check_the_endpoint_with(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    with_url = load_settings({"progress_url": "https://x.svc", "progress_ca": str(authority)}, {})
    assert with_url.render_settings()().progress_ca == authority.read_text()
    assert load_settings({"progress_ca": str(authority)}, {}).render_settings()().progress_ca is None


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: test}}]
clusters: [{name: test, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: test, user: {}}]
"""


def run_command(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, list[str]]:
    """The exit status, and what is said that is no JSON."""
    result = CliRunner().invoke(main, ["operator", *arguments], env=environment or {})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, [line for line in result.output.splitlines() if not line.startswith("{")]


@pytest.mark.usefixtures("own_logging")
@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--workers", "0"], {}, "Error: --workers: found 0"),
        ([], {f"{PREFIX}WORKERS": "many"}, f"Error: {PREFIX}WORKERS: found 'many'"),
        (["--kubeconfig", "/no/such/file"], {}, "Error: There is no kubeconfig at /no/such/file"),
    ],
)
def test_the_command_ends_with_2_and_one_sentence(
    arguments: list[str], environment: dict[str, str], words: str
) -> None:
    status, said = run_command(*arguments, environment=environment)
    assert (status, len(said)) == (2, 1) and said[0].startswith(words)


@pytest.mark.usefixtures("own_logging")
def test_without_a_namespace_for_the_lease_the_command_says_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(KUBECONFIG)
    status, said = run_command("--kubeconfig", str(config))
    assert (status, said) == (
        2,
        ["Error: --lease-namespace: missing; expected a namespace, or --no-leader-election"],
    )


@pytest.mark.usefixtures("own_logging")
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(KUBECONFIG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = ["--no-leader-election", "--bind-address", "127.0.0.1", "--health-port", port]
        status, said = run_command("--kubeconfig", str(config), *arguments)
    assert (status, len(said)) == (2, 1)
    assert said[0].startswith(f"Error: --health-port: found {port}, allowed: a port that can be opened")
