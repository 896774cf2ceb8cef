"""`doctor` and `describe`: what a cluster has of what runs need, and what it tells of a run."""

from __future__ import annotations

from typing import Any

import pytest
from api_double import ApiDouble, Fault, forbidden
from cluster_objects import attempt, run
from command_line import Run

IMAGE = "registry.example/trainingrun-operator:0.1.0"
MANAGER = {"app.kubernetes.io/name": "trainingrun-operator", "app.kubernetes.io/component": "manager"}


def named(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": more.pop("labels", {})}
    return {"metadata": metadata, **more}


@pytest.fixture
def cluster(double: ApiDouble) -> None:
    containers = [{"image": IMAGE}]
    spec = {"replicas": 2, "template": {"spec": {"containers": containers}}}
    double.put(
        "deployments", named("manager", "training-system", labels=MANAGER, spec=spec, status={"readyReplicas": 2})
    )
    double.put("nodes", named("a", status={"allocatable": {"cpu": "4", "nvidia.com/gpu": "8"}}))
    double.put("nodes", named("b", status={"allocatable": {"nvidia.com/gpu": "4"}}))
    claim = {"spec": {"accessModes": ["ReadWriteMany"]}, "status": {"phase": "Bound"}}
    double.put("persistentvolumeclaims", named("cluster-storage", "training", **claim))
    double.put("localqueues", named("team", "training"))


def lines(text: str) -> dict[str, str]:
    """The cluster's checks, as verdict and words by name."""
    below = text.split("Cluster\n", 1)[1].splitlines()
    return {line[11:23].strip(): f"{line[2:9].strip()} {line[24:]}" for line in below}


@pytest.mark.usefixtures("cluster")
def test_a_cluster_that_has_all_is_well(cli: Run) -> None:
    result = cli("doctor")
    assert lines(result.stdout) == {
        "definition": "ok TrainingRun trainingrun.dev/v1beta1",
        "KubeRay": "ok RayJob ray.io/v1",
        "operator": f"ok training-system/manager: 2 of 2 replicas are ready, {IMAGE}",
        "your rights": "ok all that the commands need in namespace training",
        "GPUs": "ok 12 nvidia.com/gpu",
        "storage": "ok claims in training: cluster-storage (ReadWriteMany, Bound); storage classes: none",
        "Kueue": "ok queues in training: team",
    }
    assert result.exit_code == 0


def test_what_is_missing_fails_and_what_may_not_be_seen_is_not_missing(cli: Run, double: ApiDouble) -> None:
    hidden = ("deployments", "nodes", "persistentvolumeclaims")
    double.faults = [
        Fault("GET", "/apis/ray.io", 404, "404 page not found"),
        Fault("GET", "/apis/kueue", 404, "404 page not found"),
        *(Fault("GET", plural, 403, forbidden("list", plural)) for plural in hidden),
    ]
    double.denied = {("create", "trainingruns"), ("get", "pods/log")}
    result = cli("doctor")
    found = lines(result.stdout)
    assert result.exit_code == 1
    assert found["KubeRay"].startswith("failed the cluster does not know RayJob: install KubeRay")
    assert found["your rights"] == (
        "failed in namespace training you may not create trainingruns, get pods/log: ask for such a role"
    )
    assert [found[name].split()[0] for name in ("operator", "GPUs", "storage")] == ["unknown"] * 3
    assert found["Kueue"] == "note not installed; only runs in queues need it"


def test_an_operator_that_is_not_ready_or_not_there_fails(cli: Run, double: ApiDouble) -> None:
    assert lines(cli("doctor").stdout)["operator"].startswith("failed there is no deployment of it")
    spec = {"template": {"spec": {"containers": [{"image": "a"}]}}}
    double.put("deployments", named("manager", "s", labels=MANAGER, spec=spec))
    assert lines(cli("doctor").stdout)["operator"] == "failed s/manager: 0 of 1 replicas are ready, a"


def test_a_machine_needs_no_cluster(cli: Run) -> None:
    result = cli("doctor", "--machine", "--context", "nowhere")
    assert result.exit_code == 0
    assert "Cluster" not in result.stdout
    assert cli("doctor", "--context", "nowhere").exit_code == 4


def test_a_description_has_the_events_of_the_run_and_of_its_pods(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Starting", attempts=[attempt(0)]))

    def event(name: str, about: str, seen: str, **more: Any) -> None:
        body = {"reason": f"of {name}", "message": "line one\nline two", "type": "Normal", **more}
        double.put(
            "events", named(name, "training", involvedObject={"kind": "Pod", "name": about}, **body, **{seen: AGO})
        )

    AGO = "2026-09-01T10:00:00Z"
    event("a", "mnist", "lastTimestamp")
    event("b", "mnist-ck4to-0-head-x7k2p", "eventTime")
    event("c", "mnist-large", "lastTimestamp")
    event("d", "mnist-ck4to-01", "lastTimestamp")
    result = cli("describe", "mnist")
    assert result.exit_code == 0
    assert result.stdout.startswith("training/mnist  Starting\n")
    table = [line for line in result.stdout.splitlines() if "Normal" in line]
    assert [" ".join(line.split()[1:]) for line in table] == [
        "Normal of a Pod/mnist line one line two",
        "Normal of b Pod/mnist-ck4to-0-head-x7k2p line one line two",
    ]
    double.objects = {key: body for key, body in double.objects.items() if key[0] != "events"}
    assert "There are no events of the last hour." in cli("describe", "mnist").stdout
