"""What a kubeconfig says of the way in: whom to trust, what to show, and what each kind of login sends."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from aiohttp import web

from trainingrun.kube import Configuration, KubernetesTransport, NoCluster, load_configuration
from trainingrun.kube import configuration as module
from trainingrun.kube.credentials import ExecPlugin, NoCredentials, TokenFile
from trainingrun.kube.transport import Request

EXEC = {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}


def configuration(folder: Path, user: Mapping[str, Any], **cluster: Any) -> Configuration:
    document = {
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": "http://api.example/", **cluster}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "ann"}}],
        "users": [{"name": "ann", "user": dict(user)}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return asyncio.run(load_configuration(str(path)))


def plugin(folder: Path, status: Mapping[str, Any]) -> dict[str, Any]:
    script = folder / "login.py"
    script.write_text(f"print({json.dumps({'kind': 'ExecCredential', 'status': status})!r})")
    return {"exec": {**EXEC, "command": sys.executable, "args": ["-S", str(script)]}}


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({}, None),
        ({"token": "of-ann"}, "Bearer of-ann"),
        ({"token": "older", "tokenFile": "token"}, "Bearer from-file"),
        ({"username": "ann", "password": "secret"}, f"Basic {base64.b64encode(b'ann:secret').decode()}"),
        ({"auth-provider": {"name": "oidc", "config": {"id-token": "of-oidc"}}}, "Bearer of-oidc"),
    ],
)
def test_each_login_has_its_header(tmp_path: Path, user: dict[str, Any], header: str | None) -> None:
    (tmp_path / "token").write_text("from-file\n")
    found = configuration(tmp_path, user)
    assert found.host == "http://api.example"
    assert asyncio.run(found.credentials.header()) == header


def test_a_plugin_that_is_not_installed_is_told_with_its_provider_s_hint(tmp_path: Path) -> None:
    user = {"exec": {**EXEC, "command": "no-such-login", "installHint": "Install it\n\nfrom example.com."}}
    with pytest.raises(NoCluster) as told:
        configuration(tmp_path, user)
    assert str(told.value) == (
        "The kubeconfig's user ann needs the program no-such-login, which is not installed: Install it from example.com"
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("print('{')", "printed no ExecCredential"),
        ("print('{\"status\": {}}')", "gave neither a token nor a certificate"),
    ],
)
def test_a_plugin_that_fails_is_told(tmp_path: Path, code: str, words: str) -> None:
    user = {"exec": {**EXEC, "command": sys.executable, "args": ["-S", "-c", code]}}
    with pytest.raises(NoCluster, match=words):
        configuration(tmp_path, user)


def test_a_plugin_is_asked_once_by_all_who_wait_for_it(tmp_path: Path) -> None:
    code = "import pathlib; pathlib.Path('calls').open('a').write('x'); print('{\"status\": {\"token\": \"t\"}}')"
    spec = {**EXEC, "command": sys.executable, "args": ["-S", "-c", code.replace("calls", str(tmp_path / "calls"))]}

    async def ask() -> list[str | None]:
        login = ExecPlugin(spec, "ann", tmp_path)
        return await asyncio.gather(*(login.header() for _ in range(3)))

    assert asyncio.run(ask()) == ["Bearer t"] * 3
    assert (tmp_path / "calls").read_text() == "x"


def test_a_token_in_a_file_is_read_again_after_a_minute(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    login = TokenFile(path)
    assert asyncio.run(login.header()) == "Bearer first"
    path.write_text("second")
    assert asyncio.run(login.header()) == "Bearer first"
    login._read_at -= 61
    assert asyncio.run(login.header()) == "Bearer second"
    login._read_at -= 61
    path.write_text("")
    with pytest.raises(NoCredentials, match="is empty"):
        asyncio.run(login.header())


def test_a_pod_is_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SERVICE_ACCOUNT", tmp_path)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(NoCluster):
        asyncio.run(load_configuration())
    (tmp_path / "token").write_text("of-the-pod")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.crt")
    found = asyncio.run(load_configuration())
    assert found.host == "https://[fd00::1]:443"
    assert asyncio.run(found.credentials.header()) == "Bearer of-the-pod"


@pytest.mark.parametrize("form", ["data", "file", "plugin", "insecure"])
def test_certificates_are_checked_and_shown(tmp_path: Path, form: str) -> None:
    authority, clients = trustme.CA(), trustme.CA()
    certificate = clients.issue_cert("ann@example.com")
    shown = {
        "client-certificate": certificate.cert_chain_pems[0].bytes(),
        "client-key": certificate.private_key_pem.bytes(),
    }
    trusted = authority.cert_pem.bytes()
    cluster: dict[str, Any] = {"certificate-authority-data": base64.b64encode(trusted).decode()}
    user: dict[str, Any] = {f"{name}-data": base64.b64encode(pem).decode() for name, pem in shown.items()}
    if form == "file":
        for name, pem in {**shown, "certificate-authority": trusted}.items():
            (tmp_path / name).write_bytes(pem)
        cluster, user = {"certificate-authority": "certificate-authority"}, {name: name for name in shown}
    if form == "plugin":
        keys = ("clientCertificateData", "clientKeyData")
        user = plugin(tmp_path, dict(zip(keys, (pem.decode() for pem in shown.values()), strict=True)))
    if form == "insecure":
        cluster = {"insecure-skip-tls-verify": True}
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("api.example").configure_cert(server)
    clients.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    assert asyncio.run(_answered(tmp_path, server, user, {**cluster, "tls-server-name": "api.example"})) == b"{}"


async def _answered(folder: Path, tls: ssl.SSLContext, user: Mapping[str, Any], cluster: Mapping[str, Any]) -> bytes:
    app = web.Application()

    async def version(request: web.Request) -> web.Response:
        return web.json_response({})

    app.router.add_get("/version", version)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    address = f"https://127.0.0.1:{runner.addresses[0][1]}"
    found = await asyncio.to_thread(configuration, folder, user, server=address, **cluster)
    transport = KubernetesTransport(found)
    try:
        return (await transport.send(Request("GET", "/version"))).body
    finally:
        await transport.close()
        await runner.cleanup()
