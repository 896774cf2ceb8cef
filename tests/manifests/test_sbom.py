"""`make sbom` names everything that is installed into the images, by version and hash."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import ROOT

IMAGES = ("operator", "trainer")
# A requirement of a lock file with what belongs to it.
_LOCKED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)((?:.*\\\n)*.*)$", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the target writes to."""
    folder = tmp_path_factory.mktemp("sbom")
    subprocess.run(["make", "--silent", "sbom", f"DIST={folder}"], cwd=ROOT, check=True, timeout=240)
    return folder


def bill(folder: Path, image: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / f"trainingrun-{image}.cdx.json").read_text())
    return content


def locked(image: str) -> dict[tuple[str, str], set[str]]:
    """The hashes of each package in the lock file, by name and version."""
    text = (ROOT / "requirements" / f"{image}.txt").read_text()
    return {(name, version): set(_HASH.findall(rest)) for name, version, rest in _LOCKED.findall(text)}


def hashes(component: dict[str, Any]) -> set[str]:
    """SHA-256 of every file that the package may be installed from."""
    found = [*component.get("hashes", [])]
    for reference in component.get("externalReferences", []):
        found += reference.get("hashes", [])
    return {entry["content"] for entry in found if entry["alg"] == "SHA-256"}


@pytest.mark.parametrize("image", IMAGES)
def test_every_locked_package_is_named_with_version_and_hashes(written: Path, image: str) -> None:
    components = bill(written, image)["components"]
    named = {(item["name"], item["version"]): hashes(item) for item in components}
    assert named == locked(image)
    assert len(named) > 15
    assert all(named.values())
    for item in components:
        assert item["purl"].startswith(f"pkg:pypi/{item['name']}@{item['version']}")


@pytest.mark.parametrize("image", IMAGES)
def test_the_bill_says_of_what_it_is_and_is_the_same_each_time(written: Path, image: str) -> None:
    content = bill(written, image)
    assert content["bomFormat"] == "CycloneDX"
    about = content["metadata"]["component"]
    assert (about["name"], about["type"]) == ("trainingrun", "application")
    assert "timestamp" not in content["metadata"]
    assert "serialNumber" not in content
