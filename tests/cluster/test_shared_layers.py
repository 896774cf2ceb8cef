"""How containerd is told of an image that podman has: its layers by their names and folders, and its settings."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from container_tool import ContainerTool
from shared_layers import share

_LAYERS = [f"sha256:{letter * 64}" for letter in "abc"]
_CONFIG = {"User": "1000:1000", "Env": ["PATH=/bin"], "Entrypoint": ["python"]}


@dataclass(frozen=True)
class _Podman(ContainerTool):
    """It has one image, and keeps what nodes were given."""

    image: dict[str, Any] = field(default_factory=dict)
    given: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)

    def run(self, *arguments: str, stdin: bytes | None = None) -> str:
        if stdin is not None:
            self.given.append((arguments, stdin))
        return json.dumps([self.image]) if arguments[:2] == ("image", "inspect") else ""


def _podman(folder: Path, layers: int) -> _Podman:
    """Podman lists the folders below the highest one from high to low, and the layers from low to high."""
    folders = [f"/store/overlay/{number}/diff" for number in range(layers)]
    data = {"UpperDir": folders[-1]} | ({"LowerDir": ":".join(reversed(folders[:-1]))} if layers > 1 else {})
    image = {"Os": "linux", "Architecture": "amd64", "Config": _CONFIG}
    image |= {"RootFS": {"Layers": _LAYERS[:layers]}, "GraphDriver": {"Name": "overlay", "Data": data}}
    return _Podman("podman", folder, {}, image)


def _chain(*layers: str) -> str:
    """As OCI's specification of images defines it."""
    *below, last = layers
    return "sha256:" + hashlib.sha256(f"{_chain(*below)} {last}".encode()).hexdigest() if below else last


@pytest.mark.parametrize("count", [1, 3])
def test_each_layer_goes_by_its_chain_to_its_folder(tmp_path: Path, count: int) -> None:
    podman = _podman(tmp_path, count)
    share(podman, "localhost/image:1", ["one", "two"])
    expected = [f"{_chain(*_LAYERS[: i + 1])} /store/overlay/{i}/diff" for i in range(count)]
    told = [(arguments[2], text.decode().splitlines()) for arguments, text in podman.given if "sh" in arguments]
    assert told == [("one", expected), ("two", expected)]


def test_the_image_comes_with_its_settings_and_names_the_layers_that_it_lacks(tmp_path: Path) -> None:
    podman = _podman(tmp_path, 3)
    share(podman, "localhost/image:1", ["one"])
    (content,) = (content for arguments, content in podman.given if "import" in arguments)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    blobs = {name: content for name, content in files.items() if name.startswith("blobs/sha256/")}
    assert all(name.rpartition("/")[2] == hashlib.sha256(content).hexdigest() for name, content in blobs.items())
    (entry,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blobs["blobs/sha256/" + entry["digest"].removeprefix("sha256:")])
    config = json.loads(blobs["blobs/sha256/" + manifest["config"]["digest"].removeprefix("sha256:")])
    assert entry["annotations"] == {"io.containerd.image.name": "localhost/image:1"}
    assert [layer["digest"] for layer in manifest["layers"]] == config["rootfs"]["diff_ids"] == _LAYERS
    assert config["config"] == _CONFIG
    assert len(blobs) == 2
