"""The certificate serves TLS: a client that has the authority takes it for its name, and for no other."""

from __future__ import annotations

import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from trainingrun.certificate import __main__ as command
from trainingrun.certificate.issuing import Issued, issue
from trainingrun.engine.settings import load_settings

HOST = "trainingrun-operator-progress.trainingrun-system.svc"
_STRICT = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_TRUSTED_FIRST


@pytest.fixture(scope="module")
def issued() -> Issued:
    return issue(HOST, datetime.now(UTC))


@pytest.fixture
def files(issued: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the command leaves in its folder."""

    async def obtain(namespace: str, secret: str, host: str) -> Issued:
        assert (namespace, secret, host) == ("system", "certificate", HOST)
        return issued

    monkeypatch.setattr(command, "_obtain", obtain)
    folder = tmp_path / "certificate"
    arguments = ["--secret", "certificate", "--host", HOST, "-n", "system", "--folder", str(folder)]
    # A second start finds the files of the first one.
    for _ in range(2):
        result = CliRunner().invoke(command.main, arguments)
        assert result.exit_code == 0, result.output
    return folder


def handshake(issued: Issued, files: Path, name: str) -> None:
    """Both sides of a handshake, in memory."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(files / "tls.crt", files / "tls.key")
    client = ssl.create_default_context(cadata=issued.authority.decode())
    # As newer Pythons check by default.
    client.verify_flags |= _STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    while ends:
        end = ends.pop(0)
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            ends.append(end)


def test_a_client_with_the_authority_accepts_it(issued: Issued, files: Path) -> None:
    handshake(issued, files, HOST)


@pytest.mark.parametrize("name", ["trainingrun-system.svc", "other.trainingrun-system.svc"])
def test_a_client_that_asked_for_another_name_does_not(issued: Issued, files: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(issued, files, name)


def test_a_client_with_another_authority_does_not(files: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"self-signed|unable to get local issuer"):
        handshake(issue(HOST, datetime.now(UTC)), files, HOST)


def test_only_its_owner_may_read_the_key(files: Path) -> None:
    assert (files / "tls.key").stat().st_mode & 0o777 == 0o600


def test_the_operator_takes_the_files(issued: Issued, files: Path) -> None:
    flags = {"progress_url": f"https://{HOST}", "progress_ca": str(files / "ca.crt")}
    names = {"progress_certificate": str(files / "tls.crt"), "progress_key": str(files / "tls.key")}
    settings = load_settings({**flags, **names}, {})
    assert settings.certificate() is not None
    assert settings.render_settings()().progress_ca == issued.authority.decode()


def test_an_api_server_that_does_not_answer_is_a_sentence_and_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(tmp_path)))
    arguments = ["--secret", "certificate", "--host", HOST, "--folder", str(tmp_path / "out")]
    result = CliRunner().invoke(command.main, arguments)
    assert result.exit_code == 1
    assert "Error: the Secret certificate could not be read or written" in result.output
    assert not (tmp_path / "out").exists()


def _kubeconfig(folder: Path) -> Path:
    cluster = {"name": "nowhere", "cluster": {"server": "http://127.0.0.1:9"}}
    context = {"name": "nowhere", "context": {"cluster": "nowhere", "user": "ann"}}
    document = {"current-context": "nowhere", "clusters": [cluster], "contexts": [context]}
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump({**document, "users": [{"name": "ann", "user": {"token": "t"}}]}))
    return path


def test_outside_a_cluster_it_says_so_with_code_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    arguments = ["--secret", "certificate", "--host", HOST, "--folder", str(tmp_path / "out")]
    assert CliRunner().invoke(command.main, arguments).exit_code == 2


def test_the_operator_itself_starts_without_what_makes_certificates() -> None:
    # Its memory is measured: only what runs for a moment before it may load this.
    loaded = "import sys, trainingrun.engine.settings; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0
