"""Helm, kustomize and the other tools that read our manifests, built once from their Go modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "apiserver"), str(TESTS / "unit"), str(TESTS / "unit" / "render")]

from go_binaries import Unbuildable, binaries, module_files  # noqa: E402
from rendering import Manifests  # noqa: E402

_TOOLS = ("helm", "kustomize", "kubeconform", "gitops")
_FIXTURES = {"manifests", "tools"}
_BUILT = pytest.StashKey[dict[str, Path] | Unbuildable]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the tools before the first test: that may take minutes, which no test's time limit should count."""
    wanted = any(_FIXTURES & set(getattr(item, "fixturenames", ())) for item in session.items)
    if wanted and not session.config.option.collectonly:
        capture = session.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            try:
                session.config.stash[_BUILT] = binaries(_TOOLS)
            except Unbuildable as error:
                session.config.stash[_BUILT] = error


@pytest.fixture(scope="session")
def tools(pytestconfig: pytest.Config) -> dict[str, Path]:
    """Where each tool is. Where one cannot be built, every test that needs it fails with the reason."""
    built = pytestconfig.stash[_BUILT]
    if isinstance(built, Unbuildable):
        pytest.fail(str(built), pytrace=False)
    return built


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
