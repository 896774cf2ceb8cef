"""The nodes of the cluster: what they are called, how images come into them, and the GPU that they pretend to have.

It must not decide what runs on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster_folder import KIND
from container_tool import ContainerTool, run, step
from shared_layers import share

NAME = "trainingrun"
CONTROL_PLANE = f"{NAME}-control-plane"
DATA_NODE = f"{NAME}-worker"
TRAINER_NODE = f"{NAME}-worker2"
KUBERAY_NAMESPACE = "kuberay-system"
_GPUS = "2"
_CTR = ("ctr", "--namespace", "k8s.io", "images")


@dataclass(frozen=True)
class LoadedImage:
    """An image of this machine, and the name that pods ask for it by."""

    built: str
    name: str


def load(tool: ContainerTool, images: Mapping[LoadedImage, Sequence[str]]) -> None:
    """Bring images to nodes that lack them. One after the other, for they have layers in common."""
    for image, nodes in images.items():
        # A built image's name says what is in it, so that a node that has the name has the image.
        lacking = [
            node for node in nodes if image.built not in tool.run("exec", node, *_CTR, "list", "--quiet").split()
        ]
        if lacking:
            with step(f"{image.name} in {' and '.join(lacking)}"):
                _bring(tool, image.built, lacking)
        for node in nodes:
            tool.run("exec", node, *_CTR, "tag", "--force", image.built, image.name)


def _bring(tool: ContainerTool, image: str, nodes: Sequence[str]) -> None:
    if tool.name == "podman":
        share(tool, image, nodes)
    else:
        # Docker's layers may lie in a virtual machine, or in a store of another kind.
        run([str(KIND), "load", "docker-image", image, "--name", NAME, "--nodes", ",".join(nodes)], tool.environment)


def offer_gpus(kubectl: Path, kubeconfig: Path) -> None:
    """Let the trainers' node say that it has GPUs, as a device plugin would; there is nothing behind them."""
    patch = [{"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": _GPUS}]
    command = [str(kubectl), "--kubeconfig", str(kubeconfig), "patch", "node", TRAINER_NODE, "--subresource=status"]
    run([*command, "--type=json", f"--patch={json.dumps(patch)}"])
