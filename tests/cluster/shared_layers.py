"""Gives an image of this machine's podman to the nodes without copying a byte of its layers.

Podman keeps each layer unpacked in a folder, and so does a node's containerd: both lay these folders over each other
with the same file system. The nodes mount podman's folders, and containerd is told of each layer by a link to its
folder. What remains to be sent is the image's configuration. Nothing here may write to podman's folders, and an image
must not be removed from podman's store while a cluster uses it.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from container_tool import ContainerTool

_CTR = "ctr --namespace k8s.io"
_OCI = "application/vnd.oci.image"
# Reads lines of a layer's name and folder, the lowest first. Containerd calls what it makes for a layer a snapshot; it
# says where that lies only in the command that would mount it. One image at a time: others may have the same layers.
_TELL = f"""
set -eu
exec 9> /run/trainingrun-layers.lock
flock 9
below=
while read -r name folder; do
  if ! {_CTR} snapshots info "$name" > /dev/null 2>&1; then
    {_CTR} snapshots remove "new $name" > /dev/null 2>&1 || true
    {_CTR} snapshots prepare "new $name" $below > /dev/null
    place=$({_CTR} snapshots mounts /unused "new $name" | sed -nE 's/.*(upperdir=|-t bind )([^ ,]+).*/\\2/p')
    rmdir "$place"
    ln -s "$folder" "$place"
    {_CTR} snapshots commit "$name" "new $name" > /dev/null
  fi
  below=$name
done
"""


def layers_folder(tool: ContainerTool) -> Path:
    """Where podman keeps layers. Nodes must mount it under the same name."""
    return Path(tool.run("info", "--format={{.Store.GraphRoot}}").strip()) / "overlay"


def share(tool: ContainerTool, image: str, nodes: Sequence[str]) -> None:
    """Let the nodes have the image, under the same name. Raises ClusterError."""
    (inspected,) = json.loads(tool.run("image", "inspect", image))
    layers = inspected["RootFS"]["Layers"]
    told = zip(_chains(layers), _folders(inspected), strict=True)
    lines = "".join(f"{chain} {folder}\n" for chain, folder in told).encode()
    archive = _archive(image, inspected, layers)
    for node in nodes:
        tool.run("exec", "--interactive", node, "sh", "-c", _TELL, stdin=lines)
        tool.run("exec", "--interactive", node, *_CTR.split(), "images", "import", "-", stdin=archive)


def _folders(inspected: dict[str, Any]) -> list[str]:
    """The layers' folders, the lowest first."""
    data = inspected["GraphDriver"]["Data"]
    below = data["LowerDir"].split(":") if "LowerDir" in data else []
    return [*reversed(below), data["UpperDir"]]


def _chains(layers: Sequence[str]) -> list[str]:
    """Each layer's name on a node: of its content and of all below."""
    chains = list(layers[:1])
    for layer in layers[1:]:
        chains.append("sha256:" + hashlib.sha256(f"{chains[-1]} {layer}".encode()).hexdigest())
    return chains


def _archive(image: str, inspected: dict[str, Any], layers: Sequence[str]) -> bytes:
    """An image in OCI's layout without its layers: containerd does not ask for layers that it has unpacked."""
    files: dict[str, bytes] = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"})}

    def put(kind: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        files[f"blobs/sha256/{digest}"] = content
        return {"mediaType": f"{_OCI}.{kind}+json", "digest": f"sha256:{digest}", "size": len(content)}

    head = {"os": inspected["Os"], "architecture": inspected["Architecture"], "config": inspected["Config"]}
    configuration = put("config.v1", _json({**head, "rootfs": {"type": "layers", "diff_ids": layers}}))
    blobs = [{"mediaType": f"{_OCI}.layer.v1.tar", "digest": layer, "size": 0} for layer in layers]
    entry = put("manifest.v1", _json({"schemaVersion": 2, "config": configuration, "layers": blobs}))
    entry["annotations"] = {"io.containerd.image.name": image}
    files["index.json"] = _json({"schemaVersion": 2, "manifests": [entry]})
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode()
