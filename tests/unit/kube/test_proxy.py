"""The proxy on the way to the API server: the kubeconfig's, else the environment's, asked for once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml

from trainingrun.kube import load_configuration

PROXY = "http://proxy.example:3128"


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return tmp_path / "kubeconfig"


def proxy(kubeconfig: Path, **cluster: str) -> str | None:
    document = {
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": "https://api.example:6443", **cluster}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "ann"}}],
        "users": [{"name": "ann", "user": {"token": "of-ann"}}],
    }
    kubeconfig.write_text(yaml.safe_dump(document))
    configuration = asyncio.run(load_configuration(str(kubeconfig)))
    assert configuration.client_session_kwargs == {"trust_env": False}
    return configuration.proxy


def test_without_a_proxy_there_is_none(kubeconfig: Path) -> None:
    assert proxy(kubeconfig) is None


def test_the_proxy_of_the_environment_is_used(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert proxy(kubeconfig) == PROXY


@pytest.mark.parametrize("exempt", ["localhost,api.example", ".example", "*"])
def test_hosts_may_be_exempt(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch, exempt: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exempt)
    assert proxy(kubeconfig) is None


def test_the_proxy_of_the_kubeconfig_comes_first(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://other.example:1")
    assert proxy(kubeconfig, **{"proxy-url": PROXY}) == PROXY
