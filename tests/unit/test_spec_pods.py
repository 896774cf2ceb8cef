"""What the API server would refuse in a pod, or a pod could not live with, is refused in the spec."""

from __future__ import annotations

from typing import Any

import pytest
from test_spec import document, problems_of

from trainingrun.spec import parse

TOLERATION = "spec.podTemplatePatches[0].spec.tolerations[0]"
LIMITS = "spec.data.resourcesPerNode.limits"


def claim(path: str) -> dict[str, Any]:
    return document(storage={"persistentVolumeClaim": {"claimName": "c", "mountPath": path}})


def tolerating(**toleration: object) -> dict[str, Any]:
    return document(podTemplatePatches=[{"target": "Head", "spec": {"tolerations": [toleration]}}])


def limited(limits: dict[str, object], **fields: object) -> dict[str, Any]:
    return document(data={"resourcesPerNode": {"limits": limits, **fields}})


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/tmp", "/tmp/", "/tmp/ray", "/tmp/ray/x", "/dev", "/dev/shm", "/proc/1", "/sys", "/etc", "/bin"),
        *("/etc/trainingrun", "/etc/trainingrun/x", "/usr", "/usr/local/lib", "/var/run/secrets/x"),
        *("/mnt/../tmp", "/mnt/.", "//tmp", "/mnt//x"),
    ],
)
def test_a_volume_may_not_hide_what_a_pod_needs(path: str) -> None:
    assert problems_of(claim(path)) == {"spec.storage.persistentVolumeClaim.mountPath": path}


@pytest.mark.parametrize(
    "path", ["/mnt", "/mnt/data/", "/data", "/tmp/data", "/usr/share/data", "/home/ray/x", "/tmpx", "/mnt/..x", "/.d"]
)
def test_any_other_folder_will_do(path: str) -> None:
    parse(claim(path))


@pytest.mark.parametrize(
    ("toleration", "field", "found"),
    [
        ({"value": "x", "operator": "Equal"}, "operator", "Equal"),
        ({}, "operator", "nothing"),
        ({"key": "gpu", "operator": "Exists", "value": "yes"}, "value", "yes"),
        ({"key": "gpu", "tolerationSeconds": 3}, "effect", "nothing"),
        ({"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 3}, "effect", "NoSchedule"),
        ({"key": "a b"}, "key", '"a b"'),
    ],
)
def test_a_toleration_has_to_be_one(toleration: dict[str, object], field: str, found: str) -> None:
    assert problems_of(tolerating(**toleration)) == {f"{TOLERATION}.{field}": found}


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "nvidia.com/gpu", "operator": "Exists", "value": ""},
        {"key": "gpu", "value": "yes"},
        {"key": "gpu", "effect": "NoExecute", "tolerationSeconds": 3},
    ],
)
def test_a_toleration_that_is_one_is_taken(toleration: dict[str, object]) -> None:
    parse(tolerating(**toleration))


@pytest.mark.parametrize("name", ["bananas", "pods", "requests.cpu", "requests.acme.com/x"])
def test_a_resource_is_one_that_a_container_can_have(name: str) -> None:
    path = f'{LIMITS}["{name}"]' if "." in name else f"{LIMITS}.{name}"
    assert problems_of(limited({name: 1})) == {path: "no resource of a container"}


def test_huge_pages_are_reserved_as_they_are_limited() -> None:
    parse(limited({"hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi", "acme.com/x": 1}))
    wrong = limited({"hugepages-2Mi": "4Mi"}, requests={"hugepages-2Mi": "2Mi"})
    assert problems_of(wrong) == {"spec.data.resourcesPerNode.requests.hugepages-2Mi": "2Mi"}
