"""The checks that the other tests rely on find what they are for."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from kuberay_schema import problems
from pod_security import violations
from rendered_runs import SETTINGS, run_object, templates

from trainingrun.render import ray_job


def with_change(value: Any, path: str, change: Any) -> Any:
    """A copy in which the value at a path such as `containers.0.env` is another one."""
    changed = copy.deepcopy(value)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = changed
    for step in steps:
        place = place[step]
    place[last] = change
    return changed


HEAD = "spec.rayClusterSpec.headGroupSpec.template"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("spec.unknown", 1),
        (f"{HEAD}.spec.hostnetwork", True),
        (f"{HEAD}.spec.containers.0.securityContext.unknown", True),
        (f"{HEAD}.metadata.unknown", "a"),
        ("spec.rayClusterSpec.workerGroupSpecs.1.replicas", "1"),
        ("spec.rayClusterSpec.workerGroupSpecs.0.groupName", None),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams", {"num-cpus": 0}),
        (f"{HEAD}.spec.containers.0.resources.limits", {"memory": "much"}),
        (f"{HEAD}.spec.containers.0.env", [{"name": "A"}, {"name": "A"}]),
        ("spec.preRunningDeadlineSeconds", 0),
        ("spec.ttlSecondsAfterFinished", 2**31),
    ],
)
def test_the_schema_refuses_what_kubernetes_would(kuberay_crds: Path, path, change):
    manifest = ray_job(run_object(), 0, SETTINGS)
    assert problems(kuberay_crds, manifest) == []
    assert problems(kuberay_crds, with_change(manifest, path, change)) != []


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("hostNetwork", True),
        ("hostPID", True),
        ("securityContext.runAsNonRoot", False),
        ("securityContext.runAsUser", 0),
        ("securityContext.seccompProfile", {"type": "Unconfined"}),
        ("securityContext", {}),
        ("containers.0.securityContext", {}),
        ("containers.0.securityContext.privileged", True),
        ("containers.0.securityContext.allowPrivilegeEscalation", True),
        ("containers.0.securityContext.capabilities", {"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
        ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}),
        ("containers.0.securityContext.runAsUser", 0),
        ("containers.0.ports", [{"containerPort": 1, "hostPort": 1}]),
        ("initContainers", [{"name": "a"}]),
        ("volumes.0", {"name": "a", "hostPath": {"path": "/"}}),
    ],
)
def test_the_profile_finds_each_forbidden_field(path, change):
    pod = templates(ray_job(run_object(), 0, SETTINGS))["trainer"]["spec"]
    assert list(violations(pod)) == []
    assert list(violations(with_change(pod, path, change))) != []
