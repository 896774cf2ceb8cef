"""Brings an image to a node without the layers that the node has: code of one's own lies on gigabytes that are there.

A node keeps layers unpacked, under a name made of their content and that of all layers below them. Containerd takes an
image whose lower layers are not in the archive when it has them so.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from cluster_folder import ARCHIVES, ARCHIVES_IN_NODES
from container_tool import ClusterError, ContainerTool

_CTR = ("ctr", "--namespace", "k8s.io")
_OCI = "application/vnd.oci.image"
_BUFFER = 1 << 20


def copy_what_is_missing(tool: ContainerTool, image: str, nodes: Sequence[str]) -> None:
    """Bring the image to the nodes, under the same name. Raises ClusterError."""
    shape = "--format={{.Id}} {{range .RootFS.Layers}}{{.}} {{end}}"
    identity, *layers = tool.run("image", "inspect", shape, image).split()
    sent = set().union(*(_missing(tool, layers, node) for node in nodes))
    archive = _place(image, identity, sent)
    if not archive.exists():
        _save(tool, image, layers, sent, archive)
    # In a folder that nodes mount, since the container tool's own pipe to a node gives 36 MB/s.
    mounted = ARCHIVES_IN_NODES / archive.relative_to(ARCHIVES)
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_import, tool, mounted, node, sent) for node in nodes]:
            done.result()


def _place(image: str, identity: str, sent: set[str]) -> Path:
    """Where these layers lie, or are to lie, for this cluster and the next one."""
    repository = image.rpartition("/")[2].partition(":")[0]
    key = hashlib.sha256(" ".join([image, identity, *sorted(sent)]).encode()).hexdigest()
    return ARCHIVES / repository / f"{key}.tar"


def _save(tool: ContainerTool, image: str, layers: list[str], sent: set[str], archive: Path) -> None:
    """Write the archive, instead of any of the same repository."""
    shutil.rmtree(archive.parent, ignore_errors=True)
    archive.parent.mkdir()
    unfinished = archive.with_suffix(".unfinished")
    save = subprocess.Popen([tool.name, "save", image], env=tool.environment, stdout=subprocess.PIPE)
    assert save.stdout
    with unfinished.open("wb") as file:
        _Archive(layers, sent).pass_on(save.stdout, file, image)
    if save.wait():
        raise ClusterError(f"{image} could not be saved: exit code {save.returncode}")
    unfinished.rename(archive)


def _import(tool: ContainerTool, archive: PurePosixPath, node: str, sent: set[str]) -> None:
    tool.run("exec", node, *_CTR, "images", "import", str(archive))
    # They are unpacked now, and as large again.
    tool.succeeds("exec", node, *_CTR, "content", "rm", *sent)


def _missing(tool: ContainerTool, layers: Sequence[str], node: str) -> set[str]:
    """The layers that a node does not have on top of those below them."""
    listed = tool.run("exec", node, *_CTR, "snapshots", "list").splitlines()
    present = {line.split()[0] for line in listed if line}
    return {layer for layer, chain in zip(layers, _chains(layers), strict=True) if chain not in present}


def _chains(layers: Sequence[str]) -> list[str]:
    """Each layer's name on a node: of its content and of all below."""
    chains = list(layers[:1])
    for layer in layers[1:]:
        chains.append("sha256:" + hashlib.sha256(f"{chains[-1]} {layer}".encode()).hexdigest())
    return chains


@dataclass
class _Archive:
    """Turns what `docker save` or `podman save` writes into an archive in OCI's layout with only the layers `sent`."""

    layers: list[str]
    sent: set[str]
    sizes: dict[str, int] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)

    def pass_on(self, saved: IO[bytes], out: IO[bytes], image: str) -> None:
        """Read one archive and write the other. Raises ClusterError for an archive that lacks a layer."""
        with (
            tarfile.open(fileobj=saved, mode="r|", bufsize=_BUFFER) as archive,
            tarfile.open(fileobj=out, mode="w|", bufsize=_BUFFER) as layout,
        ):
            for member in archive:
                self._take(archive, member, layout)
            self._finish(layout, image)

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo, layout: tarfile.TarFile) -> None:
        # Both call a layer by its content: podman as `<hash>.tar`, docker as `blobs/sha256/<hash>`.
        digest = "sha256:" + member.name.rpartition("/")[2].removesuffix(".tar")
        if digest in self.layers and member.isfile():
            self.sizes[digest] = member.size
            if digest in self.sent:
                _write(layout, _blob(digest), member.size, archive.extractfile(member))
        elif member.isfile() and member.size < _BUFFER:
            self.small[member.name] = cast(IO[bytes], archive.extractfile(member)).read()

    def _finish(self, layout: tarfile.TarFile, image: str) -> None:
        if self.sizes.keys() != set(self.layers):
            raise ClusterError(f"{image} was not saved in a format that names layers by their content")
        config = self.small[json.loads(self.small["manifest.json"])[0]["Config"]]
        layers = [_descriptor("layer.v1.tar", digest, self.sizes[digest]) for digest in self.layers]
        head = {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json"}
        manifest = {**head, "config": _put(layout, "config.v1+json", config), "layers": layers}
        entry = _put(layout, "manifest.v1+json", json.dumps(manifest).encode())
        entry["annotations"] = {"io.containerd.image.name": image}
        index = {"schemaVersion": 2, "manifests": [entry]}
        for name, content in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
            text = json.dumps(content).encode()
            _write(layout, name, len(text), io.BytesIO(text))


def _put(layout: tarfile.TarFile, kind: str, content: bytes) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    _write(layout, _blob(digest), len(content), io.BytesIO(content))
    return _descriptor(kind, digest, len(content))


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_OCI}.{kind}", "digest": digest, "size": size}


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.partition(':')[2]}"


def _write(layout: tarfile.TarFile, name: str, size: int, content: IO[bytes] | None) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    layout.addfile(member, content)
