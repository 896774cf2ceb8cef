"""Which cluster is asked, as whom and in which namespace: what the kubeconfig says, as kubectl reads it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml
from api_double import ApiDouble
from cluster_objects import run
from command_line import Run


def edit(kubeconfig: Path, change: dict[str, Any]) -> dict[str, Any]:
    document = yaml.safe_load(kubeconfig.read_text()) | change
    kubeconfig.write_text(yaml.safe_dump(document))
    return document


def test_flags_of_kubectl_choose_context_and_namespace(cli: Run, double: ApiDouble, kubeconfig: Path) -> None:
    edit(kubeconfig, {"current-context": "nowhere"})
    assert cli("get", "--context", "double").exit_code == 0
    assert cli("get", "--context", "double", "--namespace", "research").exit_code == 0
    assert [request.path.split("/")[5] for request in double.requests] == ["training", "research"]


def test_a_context_may_be_chosen_where_none_is_current(cli: Run, kubeconfig: Path) -> None:
    edit(kubeconfig, {"current-context": ""})
    assert cli("get", "--context", "double").exit_code == 0


def test_a_context_without_a_namespace_means_default(cli: Run, double: ApiDouble, kubeconfig: Path) -> None:
    edit(kubeconfig, {"contexts": [{"name": "double", "context": {"cluster": "double", "user": "ann"}}]})
    assert cli("get").exit_code == 0
    assert "/namespaces/default/" in double.requests[0].path


def test_several_files_are_merged(cli: Run, double: ApiDouble, kubeconfig: Path, tmp_path: Path, monkeypatch) -> None:
    document = yaml.safe_load(kubeconfig.read_text())
    users = tmp_path / "users"
    users.write_text(yaml.safe_dump({"users": document["users"]}))
    edit(kubeconfig, {"users": []})
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (kubeconfig, tmp_path / "absent", users))))
    assert cli("get").exit_code == 0
    assert double.requests[0].headers["Authorization"] == "Bearer of-ann"


def test_a_token_that_expires_is_renewed_by_the_plugin_that_gave_it(
    cli: Run, double: ApiDouble, kubeconfig: Path, tmp_path: Path
) -> None:
    """A cloud's tokens last minutes, a wait for a run lasts days."""
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "number-", "expirationTimestamp": "2020-01-01T00:00:00Z"},
    }
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import pathlib\n"
        f"calls = pathlib.Path({str(tmp_path / 'calls')!r})\n"
        "calls.write_text((calls.read_text() if calls.exists() else '') + 'x')\n"
        f"print({json.dumps(credential)!r}.replace('number-', f'number-{{len(calls.read_text())}}'))\n"
    )
    command = {"apiVersion": credential["apiVersion"], "command": sys.executable, "args": ["-S", str(plugin)]}
    edit(kubeconfig, {"users": [{"name": "ann", "user": {"exec": command}}]})
    for name in ("mnist", "cifar"):
        double.put("trainingruns", run(name))
    assert cli("get", "mnist", "cifar").exit_code == 0
    first, second = (request.headers["Authorization"] for request in double.requests)
    assert first.startswith("Bearer number-")
    assert second.startswith("Bearer number-")
    assert first != second


def test_a_login_that_is_not_installed_is_named(cli: Run, double: ApiDouble, kubeconfig: Path) -> None:
    edit(kubeconfig, {"users": [{"name": "ann", "user": {"exec": {"command": "no-such-login"}}}]})
    result = cli("get")
    assert result.exit_code == 4
    needed = "Error: The kubeconfig's user ann needs the program no-such-login"
    assert result.stderr.startswith(f"{needed}, which is not installed: install no-such-login.")
