"""The Ray cluster of a run: groups, sizes, and what Ray is told of the nodes."""

from __future__ import annotations

from typing import Any

import pytest
from rendered_runs import SETTINGS, cluster_spec, ray_container, run_object, templates

from trainingrun.render import ray_job


def cluster(**spec: Any) -> dict[str, Any]:
    return cluster_spec(ray_job(run_object(**spec), 0, SETTINGS))


def groups(**spec: Any) -> dict[str, Any]:
    return {group["groupName"]: group for group in cluster(**spec)["workerGroupSpecs"]}


def resources(**amounts: Any) -> dict[str, Any]:
    return {"resourcesPerNode": {"limits": {name.replace("gpu", "nvidia.com/gpu"): v for name, v in amounts.items()}}}


def test_nodes_carry_the_labels_by_which_tasks_are_placed_and_no_others():
    labels = {name: group["labels"] for name, group in groups().items()}
    assert labels == {"data": {"ray-subcluster": "data"}, "trainer": {"trainingrun.dev/group": "trainer"}}
    assert "labels" not in cluster()["headGroupSpec"]


def test_every_pod_says_which_group_it_is_of():
    pods = templates(ray_job(run_object(), 0, SETTINGS))
    for group, template in pods.items():
        assert template["metadata"]["labels"]["trainingrun.dev/group"] == group
        assert "ray-subcluster" not in template["metadata"]["labels"]
    assert list(pods) == ["head", "data", "trainer"]


def test_the_cluster_is_locked_and_says_its_version():
    assert cluster()["authOptions"] == {"mode": "token"}
    assert cluster()["rayVersion"].startswith("2.")


def test_no_task_is_placed_on_the_head():
    head = cluster(head={"resources": {"limits": {"cpu": 16}}})["headGroupSpec"]
    assert head["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0", "no-monitor": "true"}


@pytest.mark.parametrize("name", ["nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb.me", "amd.com/gpu"])
def test_ray_is_told_the_gpus_of_every_group(name):
    """KubeRay would not count the shared ones, and Ray those that a pod only happens to see."""
    found = groups(trainer={"resourcesPerNode": {"limits": {name: 1}}})
    assert {group: found[group]["rayStartParams"]["num-gpus"] for group in found} == {"data": "0", "trainer": "1"}


def test_an_own_program_may_have_gpus_for_its_data():
    found = groups(recipe=None, trainer={"command": ["python"]}, data=resources(gpu=2))
    assert found["data"]["rayStartParams"]["num-gpus"] == "2"


@pytest.mark.parametrize(("cpu", "cpus"), [("8", "8"), ("7900m", "7"), ("1", "1"), ("100m", "1")])
def test_data_nodes_run_a_task_per_whole_core(cpu, cpus):
    assert groups(data=resources(cpu=cpu))["data"]["rayStartParams"]["num-cpus"] == cpus


@pytest.mark.parametrize(
    ("cpu", "processes", "cpus"), [("8", 3, "8"), ("4500m", 4, "4"), ("2500m", 3, "3"), ("2", 4, "2"), ("100m", 1, "1")]
)
def test_trainer_nodes_have_cpus_for_their_processes(cpu, processes, cpus):
    trainer = {"numProcPerNode": processes, **resources(cpu=cpu)}
    assert groups(trainer=trainer)["trainer"]["rayStartParams"]["num-cpus"] == cpus


@pytest.mark.parametrize("most", [None, 3])
def test_groups_have_a_fixed_size_unless_the_author_allows_more(most):
    data = {"numNodes": 3, **({"maxNodes": most} if most else {})}
    spec = cluster(data=data, trainer={"numNodes": 2})
    assert not spec.keys() & {"enableInTreeAutoscaling", "autoscalerOptions"}
    sizes = [(g["replicas"], g["minReplicas"], g["maxReplicas"]) for g in spec["workerGroupSpecs"]]
    assert sizes == [(3, 3, 3), (2, 2, 2)]


def test_only_the_data_group_grows():
    spec = cluster(data={"numNodes": 3, "maxNodes": 9}, trainer={"numNodes": 2}, imagePullPolicy="Never")
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["autoscalerOptions"]["version"] == "v2"
    assert spec["autoscalerOptions"]["imagePullPolicy"] == "Never"
    sizes = [(g["replicas"], g["minReplicas"], g["maxReplicas"]) for g in spec["workerGroupSpecs"]]
    assert sizes == [(3, 3, 9), (2, 2, 2)]


def test_the_token_of_the_kubernetes_api_is_the_autoscalers_alone():
    data = {"numNodes": 1, "maxNodes": 2}
    pods = templates(ray_job(run_object(data=data), 0, SETTINGS))
    volumes = {group: [volume["name"] for volume in pod["spec"]["volumes"]] for group, pod in pods.items()}
    assert volumes == {"head": ["tmp", "run", "autoscaler-token"], "data": ["tmp"], "trainer": ["tmp"]}
    assert "autoscaler-token" not in [mount["name"] for mount in ray_container(pods["head"])["volumeMounts"]]
    mounts = cluster(data=data)["autoscalerOptions"]["volumeMounts"]
    path = "/var/run/secrets/kubernetes.io/serviceaccount"
    assert {"name": "autoscaler-token", "mountPath": path, "readOnly": True} in mounts
    fixed = templates(ray_job(run_object(), 0, SETTINGS))["head"]["spec"]["volumes"]
    assert "autoscaler-token" not in [volume["name"] for volume in fixed]


def test_limits_are_reserved_unless_the_author_asks_for_less():
    trainer = {"resourcesPerNode": {"limits": {"cpu": 8, "nvidia.com/gpu": 2}, "requests": {"cpu": "100m"}}}
    pods = templates(ray_job(run_object(trainer=trainer), 0, SETTINGS))
    assert ray_container(pods["trainer"])["resources"] == {
        "limits": {"cpu": "8", "memory": "16Gi", "nvidia.com/gpu": "2"},
        "requests": {"cpu": "100m", "memory": "16Gi", "nvidia.com/gpu": "2"},
    }
    assert ray_container(pods["head"])["resources"]["requests"] == {"cpu": "2", "memory": "8Gi"}
