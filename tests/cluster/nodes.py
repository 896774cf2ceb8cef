"""The nodes of the cluster: what they are called, how images come into them, and the GPU that they pretend to have.

It must not decide what runs on them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from container_tool import ClusterError, ContainerTool, run, step

NAME = "trainingrun"
CONTROL_PLANE = f"{NAME}-control-plane"
DATA_NODE = f"{NAME}-worker"
TRAINER_NODE = f"{NAME}-worker2"
_GPUS = "2"
_CTR = ("ctr", "--namespace", "k8s.io", "images")


@dataclass(frozen=True)
class LoadedImage:
    """An image of this machine, and the name that pods ask for it by."""

    built: str
    name: str


def load(tool: ContainerTool, images: Mapping[LoadedImage, Sequence[str]]) -> None:
    """Bring images to nodes that lack them, to all at the same time."""
    wanted = [(image, node) for image, nodes in images.items() for node in nodes]
    with ThreadPoolExecutor(max_workers=4) as pool:
        for done in [pool.submit(_load, tool, image, node) for image, node in wanted]:
            done.result()


def offer_gpus(kubectl: Path, kubeconfig: Path) -> None:
    """Let the trainers' node say that it has GPUs, as a device plugin would; there is nothing behind them."""
    patch = [{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": _GPUS}]
    command = [str(kubectl), "--kubeconfig", str(kubeconfig), "patch", "node", TRAINER_NODE, "--subresource=status"]
    run([*command, "--type=json", f"--patch={json.dumps(patch)}"])


def _load(tool: ContainerTool, image: LoadedImage, node: str) -> None:
    # A built image's name says what is in it, so that a node that has the name has the image.
    present = tool.run("exec", node, *_CTR, "list", "--quiet").split()
    if image.built not in present:
        with step(f"  {image.name} in {node}"):
            _copy(tool, image.built, node)
    tool.run("exec", node, *_CTR, "tag", "--force", image.built, image.name)


def _copy(tool: ContainerTool, image: str, node: str) -> None:
    save = subprocess.Popen([tool.name, "save", image], env=tool.environment, stdout=subprocess.PIPE)
    command = [tool.name, "exec", "--interactive", node, *_CTR, "import", "-"]
    done = subprocess.run(command, env=tool.environment, stdin=save.stdout, capture_output=True)
    if save.wait() or done.returncode:
        raise ClusterError(f"{image} could not be loaded into {node}:\n{done.stderr.decode()[-2000:]}")
    # They are unpacked now, and as large again. Layers are stored as they were saved: uncompressed, named by content.
    layers = tool.run("image", "inspect", "--format={{range .RootFS.Layers}}{{.}} {{end}}", image).split()
    tool.succeeds("exec", node, "ctr", "--namespace=k8s.io", "content", "rm", *layers)
