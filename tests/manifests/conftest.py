"""Helm, kustomize, Prometheus and the other tools that read our files, built once from their Go modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "apiserver"), str(TESTS / "unit"), str(TESTS / "unit" / "render")]

from go_binaries import Unbuildable, binaries, module_files  # noqa: E402
from rendering import Manifests  # noqa: E402

# By the fixture that gives them.
_TOOLS = {"tools": ("helm", "kustomize", "kubeconform", "gitops"), "prometheus": ("prometheus", "promtool")}
_BUILT = pytest.StashKey[dict[str, dict[str, Path] | Unbuildable]]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the tools before the first test: that may take minutes, which no test's time limit should count."""
    used = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    built = session.config.stash.setdefault(_BUILT, {})
    if session.config.option.collectonly:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    for fixture in used & set(_TOOLS):
        with capture.global_and_fixture_disabled():
            try:
                built[fixture] = binaries(_TOOLS[fixture])
            except Unbuildable as error:
                built[fixture] = error


def _built(config: pytest.Config, fixture: str) -> dict[str, Path]:
    """Where each tool is. Where one cannot be built, every test that needs it fails with the reason."""
    built = config.stash[_BUILT][fixture]
    if isinstance(built, Unbuildable):
        pytest.fail(str(built), pytrace=False)
    return built


@pytest.fixture(scope="session")
def tools(pytestconfig: pytest.Config) -> dict[str, Path]:
    """Where Helm and all that reads manifests is."""
    return _built(pytestconfig, "tools")


@pytest.fixture(scope="session")
def prometheus(pytestconfig: pytest.Config) -> dict[str, Path]:
    """Where Prometheus and promtool are. They take minutes to build: only extended tests may use them."""
    return _built(pytestconfig, "prometheus")


@pytest.fixture(scope="session")
def manifests(tools: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Manifests]:
    """What the chart and the overlays render to."""
    return Manifests(tools["helm"], tools["kustomize"], tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def kubernetes_files() -> Path:
    """The source of Kubernetes, which has the schema of its API."""
    return module_files("kubectl")


@pytest.fixture(scope="session")
def kuberay_source() -> Path:
    """The source of KubeRay, which has the manifest of its operator."""
    return module_files("ray-operator")
