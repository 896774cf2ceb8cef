"""`make docs` builds the site without a warning, and what leads somewhere in the repository does so there too."""

from __future__ import annotations

import html
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest
from documents import ROOT


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("repository_pages", ROOT / "docs" / "site" / "repository_pages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the target writes to."""
    folder = tmp_path_factory.mktemp("site")
    command = ["make", "--silent", "docs", f"SITE={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_document_is_a_page(site: Path, pages: ModuleType) -> None:
    documents = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    names = [str(name) if name.name != "README.html" else str(name.with_name("index.html")) for name in documents]
    wanted = [*names, *(Path(page).with_suffix(".html").as_posix() for page in pages.PAGES.values())]
    assert [name for name in wanted if not (site / name).is_file()] == []


def test_every_link_and_anchor_of_the_built_pages_leads_somewhere(site: Path) -> None:
    anchors = {page: set(re.findall(r'\bid="([^"]+)"', page.read_text())) for page in site.rglob("*.html")}
    astray = []
    for page in anchors:
        if page.name == "404.html":
            continue  # whose addresses are from wherever it is shown
        for link in re.findall(r'\b(?:href|src)="([^"]+)"', page.read_text()):
            path, _, anchor = unquote(html.unescape(link)).partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and not anchor.startswith("__") and anchor not in anchors[target]):
                astray.append(f"{page.relative_to(site)}: {link}")
    assert astray == []
    assert len(anchors) > 30


def test_nothing_is_fetched_but_diagrams(site: Path) -> None:
    """Mermaid is what the theme loads where a page has a diagram."""
    text = (site / "index.html").read_text()
    assert re.findall(r'<(?:script|link rel="stylesheet")[^>]*"(https?:[^"]+)"', text) == []


@pytest.mark.parametrize(
    ("page", "link", "place"),
    [
        ("index.md", "docs/data.md#stores", "data.md#stores"),
        ("data.md", "../bench/README.md", "bench.md"),
        ("decisions/README.md", "../../CONTRIBUTING.md", "../contributing.md"),
        ("index.md", "manifests/samples/digits.yaml", "files/manifests/samples/digits.yaml"),
        ("faults.md", "../tests/unit/test_layout.py", "files/tests/unit/test_layout.py"),
        ("data.md", "https://kind.sigs.k8s.io", "https://kind.sigs.k8s.io"),
        ("data.md", "#stores", "#stores"),
    ],
)
def test_a_link_leads_where_it_leads_in_the_repository(pages: ModuleType, page: str, link: str, place: str) -> None:
    assert pages.relinked(page, f"See [there]({link}).") == f"See [there]({place})."


def test_folders_are_no_links_and_code_stays_as_it_is(pages: ModuleType) -> None:
    text = "[tools](../tests/apiserver/tools)\n```python\nrows[0](../data.md)\n```\n"
    assert pages.relinked("cluster.md", text) == "tools\n```python\nrows[0](../data.md)\n```\n"


def test_the_environment_of_the_site_is_not_that_of_the_tests() -> None:
    assert "mkdocs" not in sys.modules
    assert not re.search(r"^mkdocs", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE)
