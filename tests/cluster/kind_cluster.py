"""Makes a real Kubernetes cluster on this machine for the tests, with KubeRay in it, and removes it again.

    python tests/cluster/kind_cluster.py create     # or what is missing of it; prints each step's seconds
    python tests/cluster/kind_cluster.py delete     # leaves images for the next time, and nothing else

kind makes it, from its own node image where an image registry answers, else from one that is built here. Everything
that it writes is in .trainingrun/cluster: the user's kubeconfig and container settings stay as they are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from base_image import PROGRAMS, base_image
from cluster_folder import AUDIT, FOLDER, KUBECONFIG, VOLUME
from container_tool import ClusterError, ContainerTool, find_tool, run, step
from go_binaries import Unbuildable, binaries
from kuberay import install_kuberay
from leftovers import KERNEL_MODULES, remove_leftovers
from node_image import node_image
from nodes import DATA_NODE, NAME, TRAINER_NODE, load, offer_gpus
from project_images import project_images, remove_older
from shared_layers import layers_folder

_HERE = Path(__file__).parent
_REGISTRY = "https://registry-1.docker.io/v2/"
_PUBLISHED_NODE_IMAGE = "kindest/node:v1.34.3"


def create() -> None:
    """Make what is missing: the cluster, its images, KubeRay."""
    has_registry = registry_answers()
    tool = find_tool(FOLDER, also=() if has_registry else PROGRAMS)
    _check_firewall(tool)
    base = None if has_registry else base_image(tool)
    with step("programs"):
        kind, kubectl, helm = binaries(("kind", "kubectl", "helm")).values()
    _link(kind, kubectl, helm)
    is_there = _is_ours(tool, kind)
    # Images wait for downloads and the disk while the node's programs are built, which takes the processors.
    with ThreadPoolExecutor() as beside:
        images = beside.submit(project_images, tool, base)
        if not is_there:
            image = node_image(tool, base) if base else _PUBLISHED_NODE_IMAGE
            with step("cluster"):
                _create_cluster(tool, kind, image)
        kuberay = beside.submit(install_kuberay, tool, kubectl, KUBECONFIG, base)
        load(tool, {image: (DATA_NODE, TRAINER_NODE) for image in images.result()})
        kuberay.result()
    offer_gpus(kubectl, KUBECONFIG)
    print(f"export KUBECONFIG={KUBECONFIG} PATH={FOLDER}:$PATH")


def delete() -> None:
    """Remove the cluster and every trace of it but the newest images."""
    tool = find_tool(FOLDER)
    kind = binaries(("kind",))["kind"]
    if _exists(tool, kind):
        # Pods wrote there as another user.
        tool.run("exec", DATA_NODE, "find", "/mnt/cluster_storage", "-mindepth", "1", "-delete")
    with step("cluster removed"):
        run([str(kind), "delete", "cluster", "--name", NAME, "--kubeconfig", str(KUBECONFIG)], tool.environment)
    if tool.succeeds("network", "inspect", "kind") and not tool.run("ps", "--all", "--quiet", "--filter=network=kind"):
        tool.run("network", "rm", "kind")
    remove_leftovers(tool)
    remove_older(tool)
    for folder in (VOLUME, AUDIT):
        shutil.rmtree(folder, ignore_errors=True)
    for file in ("kubeconfig", "kind", "kubectl", "helm", "containers.conf", "sources.list", "kind.yaml"):
        (FOLDER / file).unlink(missing_ok=True)


def _create_cluster(tool: ContainerTool, kind: Path, image: str) -> None:
    for folder in (VOLUME, AUDIT):
        folder.mkdir(parents=True, exist_ok=True)
    # Pods write there as a user that this machine does not know.
    VOLUME.chmod(0o777)
    KERNEL_MODULES.mkdir(exist_ok=True)
    configuration = FOLDER / "kind.yaml"
    configuration.write_text(yaml.safe_dump(_configuration(tool, image)))
    arguments = ["--name", NAME, "--config", str(configuration), "--kubeconfig", str(KUBECONFIG), "--wait", "180s"]
    run([str(kind), "create", "cluster", *arguments], tool.environment)


def _configuration(tool: ContainerTool, image: str) -> dict[str, Any]:
    cluster: dict[str, Any] = yaml.safe_load((_HERE / "kind.yaml").read_text())
    audit = [
        {"hostPath": str(_HERE / "audit_policy.yaml"), "containerPath": "/etc/kubernetes/audit/policy.yaml"},
        {"hostPath": str(AUDIT), "containerPath": "/var/log/kubernetes"},
    ]
    shared: list[dict[str, Any]] = [{"hostPath": str(VOLUME), "containerPath": "/mnt/cluster_storage"}]
    if tool.name == "podman":
        layers = str(layers_folder(tool))
        shared.append({"hostPath": layers, "containerPath": layers, "readOnly": True})
    for node in cluster["nodes"]:
        node["image"] = image
        node["extraMounts"] = audit if node["role"] == "control-plane" else shared
    return cluster


def _link(*programs: Path) -> None:
    """Put them beside the kubeconfig, for the tests and for people."""
    for program in programs:
        place = FOLDER / program.name
        place.unlink(missing_ok=True)
        place.symlink_to(program)


def _is_ours(tool: ContainerTool, kind: Path) -> bool:
    """Whether there is a cluster that this checkout has made. Raises ClusterError for another one."""
    if not _exists(tool, kind):
        return False
    if not KUBECONFIG.is_file():
        raise ClusterError(
            f"There is a cluster {NAME} that this checkout has not made, or not finished: run `make cluster-delete`."
        )
    return True


def _exists(tool: ContainerTool, kind: Path) -> bool:
    return NAME in run([str(kind), "get", "clusters"], tool.environment).split()


def registry_answers() -> bool:
    """Whether images can be pulled. TRAININGRUN_IMAGES=built says that they are not to be."""
    if os.environ.get("TRAININGRUN_IMAGES") == "built":
        return False
    try:
        urllib.request.urlopen(_REGISTRY, timeout=5)
    except urllib.error.HTTPError as answer:
        # What a registry says to someone without a name.
        return answer.code == 401
    except OSError:
        return False
    return True


def _check_firewall(tool: ContainerTool) -> None:
    if tool.name == "podman" and "-P FORWARD DROP" in run(["iptables", "-S", "FORWARD"]):
        raise ClusterError(
            "This machine's firewall drops what nodes send each other, as Docker's engine sets it up: "
            "run `iptables -P FORWARD ACCEPT`, or start Docker's engine."
        )


def act(actions: Mapping[str, Callable[[], None]]) -> int:
    """Do what the command line asks. Exit status 1 with a sentence when it cannot be done, 2 for a wrong argument."""
    program, *arguments = sys.argv
    if len(arguments) != 1 or arguments[0] not in actions:
        print(f"usage: {Path(program).name} {'|'.join(actions)}", file=sys.stderr)
        return 2
    try:
        actions[arguments[0]]()
    except (ClusterError, Unbuildable, subprocess.TimeoutExpired) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(act({"create": create, "delete": delete}))
