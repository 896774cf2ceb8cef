"""A cluster for the command line, and the command line itself, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from api_double import ApiDouble
from click.testing import CliRunner, Result
from command_line import Run

from trainingrun.cli import main


@pytest.fixture
def double() -> Iterator[ApiDouble]:
    server = ApiDouble()
    yield server
    if hasattr(server, "_server"):
        server.stop()


@pytest.fixture
def kubeconfig(double: ApiDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Names the double, and `nowhere`, a cluster that does not answer; the namespace of both is training."""
    address = double.start()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    # The client loads the system's certificates for every connection, which takes longer than all else that it does.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    clusters = {"double": address, "nowhere": "http://127.0.0.1:9"}
    context = {"user": "ann", "namespace": "training"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "double",
        "clusters": [{"name": name, "cluster": {"server": server}} for name, server in clusters.items()],
        "contexts": [{"name": name, "context": {"cluster": name, **context}} for name in clusters],
        "users": [{"name": "ann", "user": {"token": "of-ann"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(path))
    return path


@pytest.fixture
def cli(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line; nothing that it waits for takes longer than a moment."""
    from trainingrun.client import deletion, log_following, session
    from trainingrun.transfer import pod_host, retrying

    monkeypatch.setattr(session, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(deletion, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(log_following, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(pod_host, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(retrying, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(log_following, "_LAST_LINES_SECONDS", 0.2)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=stdin, prog_name="trainingrun")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
