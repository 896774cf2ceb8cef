"""In no rendered pod do containers of different trust share a user or see each other's processes.

Whoever has the same user and sees a process can read its files, and with them its token for the Kubernetes API.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

OUT = Path(__file__).parent / "out"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
Spec = dict[str, Any]


def pods(manifest: Spec) -> Iterator[Spec]:
    """The specs of the pods that KubeRay makes of it: it adds the autoscaler to the head's."""
    cluster = manifest["spec"].get("rayClusterSpec", manifest["spec"])
    head = cluster["headGroupSpec"]["template"]["spec"]
    if cluster.get("enableInTreeAutoscaling"):
        options = cluster["autoscalerOptions"]
        autoscaler = {"name": "autoscaler", **{key: options[key] for key in ("securityContext", "volumeMounts", "env")}}
        head = {**head, "containers": [*head["containers"], autoscaler]}
    yield head
    yield from (group["template"]["spec"] for group in cluster["workerGroupSpecs"])


PODS = {
    f"{path.stem}-{number}": pod
    for path in sorted(OUT.glob("*.yaml"))
    for number, pod in enumerate(
        itertools.chain.from_iterable(pods(manifest) for manifest in yaml.load_all(path.read_text(), yaml.CSafeLoader))
    )
}


def user(pod: Spec, container: Spec) -> int:
    found: int = container.get("securityContext", {}).get("runAsUser", pod["securityContext"]["runAsUser"])
    return found


def paths(container: Spec) -> set[str]:
    return {mount["mountPath"] for mount in container["volumeMounts"]}


@pytest.mark.parametrize("name", PODS)
def test_no_container_can_look_into_another(name: str) -> None:
    pod = PODS[name]
    users = [user(pod, container) for container in pod["containers"]]
    assert len(set(users)) == len(users)
    assert not any(pod.get(field) for field in ("shareProcessNamespace", "hostPID", "hostIPC"))
    assert pod["automountServiceAccountToken"] is False


def test_one_of_the_pods_has_an_autoscaler_with_a_token_that_ray_does_not_see() -> None:
    shared = [pod for pod in PODS.values() if len(pod["containers"]) > 1]
    assert shared
    for pod in shared:
        ray, autoscaler = pod["containers"]
        assert (ray["name"], autoscaler["name"]) == ("ray-head", "autoscaler")
        assert TOKEN in paths(autoscaler) and not any(path.startswith(TOKEN) for path in paths(ray))
        home = next(entry["value"] for entry in autoscaler["env"] if entry["name"] == "HOME")
        # A login shell would run what it finds at home.
        assert not any(home == path or home.startswith(f"{path}/") for path in paths(ray))
