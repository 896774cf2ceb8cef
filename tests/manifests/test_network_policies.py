"""Who may talk to whom once the policies are in force, asked of the pods that are really made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import recorded_objects
import yaml
from network_policy import Endpoint, Object, allows
from rendered_runs import run_object
from rendering import NAMESPACE, Manifests, operator_pod

from trainingrun.render import RenderSettings, ray_job

# Ray's, as KubeRay opens them: GCS, the client server, the dashboard, and one that nobody knows beforehand.
GCS, CLIENT, DASHBOARD, ANY = 6379, 10001, 8265, 34567
METRICS, HEALTH, PROGRESS = 8080, 8080, 8443


@pytest.fixture(scope="module")
def policies(manifests: Manifests) -> list[Object]:
    objects = manifests.chart({"networkPolicy": {"runs": ["training"]}})
    return [item for item in objects if item["kind"] == "NetworkPolicy"]


@pytest.fixture(scope="module", params=["rendered", "recorded"])
def pods(request: pytest.FixtureRequest, manifests: Manifests, kuberay_source: Path) -> dict[str, Endpoint]:
    """The pods of a run in a namespace with the policy and in one without, both operators, and strangers.

    As they are rendered, and as a real cluster had them, where everybody adds labels of their own.
    """
    own = rendered_pods(manifests, kuberay_source) if request.param == "rendered" else recorded_pods()
    return {
        **own,
        "prometheus": Endpoint("monitoring", {"app.kubernetes.io/name": "prometheus"}),
        "neighbour": Endpoint("training", {"app": "notebook"}),
        "pretender": Endpoint("training", {"app.kubernetes.io/managed-by": "trainingrun-operator"}),
        "stranger": Endpoint("default", {"app": "web"}),
        # Anybody can give such labels to a pod of his own.
        "would-be kuberay": replace(own["kuberay"], namespace="default"),
        "api server": Endpoint(None, address="10.0.0.1"),
        "bucket": Endpoint(None, address="203.0.113.9"),
    }


def rendered_pods(manifests: Manifests, kuberay_source: Path) -> dict[str, Endpoint]:
    manager = yaml.safe_load((kuberay_source / "config" / "manager" / "manager.yaml").read_text())
    kuberay = manager["spec"]["template"]["metadata"]["labels"]
    template = operator_pod(manifests.chart())
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}
    return {
        **{f"run's {group}": endpoint for group, endpoint in run_pods("training").items()},
        **{f"open run's {group}": endpoint for group, endpoint in run_pods("research").items()},
        "operator": Endpoint(NAMESPACE, template["metadata"]["labels"], ports),
        "kuberay": Endpoint("kuberay-system", kuberay),
        "dns": Endpoint("kube-system", {"k8s-app": "kube-dns"}),
    }


def recorded_pods() -> dict[str, Endpoint]:
    found = recorded_objects.pods()
    run = {name: pod for name, pod in found.items() if name.startswith("run's ")}
    return {
        **found,
        **{name: replace(pod, namespace="training") for name, pod in run.items()},
        **{f"open {name}": replace(pod, namespace="research") for name, pod in run.items()},
    }


def run_pods(namespace: str) -> dict[str, Endpoint]:
    """The pods of a run with the labels that are rendered, and those that KubeRay adds."""
    run = run_object(labels={"kueue.x-k8s.io/queue-name": "ml"})
    spec = ray_job(run, 0, RenderSettings())["spec"]["rayClusterSpec"]
    groups = {"head": spec["headGroupSpec"], **{item["groupName"]: item for item in spec["workerGroupSpecs"]}}
    added = {"app.kubernetes.io/name": "kuberay", "app.kubernetes.io/created-by": "kuberay-operator"}
    return {
        name: Endpoint(namespace, {**added, **group["template"]["metadata"]["labels"]})
        for name, group in groups.items()
    }


ALLOWED = [
    ("run's head", "operator", PROGRESS),
    ("run's trainer", "operator", PROGRESS),
    ("open run's head", "operator", PROGRESS),
    ("prometheus", "operator", METRICS),
    ("operator", "api server", 443),
    ("operator", "api server", 6443),
    ("run's trainer", "run's head", GCS),
    ("run's data", "run's trainer", ANY),
    ("run's head", "run's data", ANY),
    ("kuberay", "run's head", DASHBOARD),
    ("prometheus", "run's trainer", METRICS),
    ("run's trainer", "bucket", 443),
    ("stranger", "open run's head", CLIENT),
]
REFUSED = [
    ("stranger", "operator", PROGRESS),
    ("neighbour", "operator", PROGRESS),
    ("pretender", "operator", PROGRESS),
    ("run's head", "operator", HEALTH),
    ("stranger", "operator", METRICS),
    ("prometheus", "operator", PROGRESS),
    ("operator", "run's head", DASHBOARD),
    ("operator", "stranger", 80),
    ("stranger", "run's head", GCS),
    ("stranger", "run's head", DASHBOARD),
    ("stranger", "run's head", CLIENT),
    ("neighbour", "run's head", DASHBOARD),
    ("pretender", "run's data", ANY),
    ("open run's head", "run's head", GCS),
    ("kuberay", "run's head", CLIENT),
    ("prometheus", "run's head", DASHBOARD),
    ("would-be kuberay", "run's head", DASHBOARD),
    ("api server", "run's head", DASHBOARD),
]


@pytest.mark.parametrize(("source", "target", "port"), ALLOWED)
def test_what_must_be_reached_can_be_reached(
    policies: list[Object], pods: dict[str, Endpoint], source: str, target: str, port: int
) -> None:
    assert allows(policies, pods[source], pods[target], port)


@pytest.mark.parametrize(("source", "target", "port"), REFUSED)
def test_what_need_not_be_reached_cannot_be_reached(
    policies: list[Object], pods: dict[str, Endpoint], source: str, target: str, port: int
) -> None:
    assert not allows(policies, pods[source], pods[target], port)


def test_the_operator_asks_for_names(policies: list[Object], pods: dict[str, Endpoint]) -> None:
    assert allows(policies, pods["operator"], pods["dns"], 53, "UDP")
    assert not allows(policies, pods["operator"], pods["dns"], 9153)


def test_the_pod_of_helm_test_reaches_the_operator(manifests: Manifests, policies: list[Object]) -> None:
    objects = manifests.chart(tests=True)
    (pod,) = [item for item in objects if item["kind"] == "Pod"]
    operator = Endpoint(NAMESPACE, operator_pod(objects)["metadata"]["labels"], {"metrics": METRICS})
    tester = Endpoint(NAMESPACE, pod["metadata"]["labels"])
    assert allows(policies, tester, operator, METRICS)
    assert not allows(policies, Endpoint("default", tester.labels), operator, METRICS)


def test_another_api_server_and_kuberay_are_named_by_values(manifests: Manifests, pods: dict[str, Endpoint]) -> None:
    values = {"apiServerPorts": [16443], "apiServerAddresses": ["10.0.0.0/28"], "kuberayNamespace": "default"}
    objects = manifests.chart({"networkPolicy": {**values, "runs": ["training"]}})
    policies = [item for item in objects if item["kind"] == "NetworkPolicy"]
    assert allows(policies, pods["operator"], pods["api server"], 16443)
    assert not allows(policies, pods["operator"], pods["api server"], 6443)
    assert not allows(policies, pods["operator"], pods["bucket"], 16443)
    assert allows(policies, pods["would-be kuberay"], pods["run's head"], DASHBOARD)
    # As `trainingrun logs` reads what the driver wrote.
    assert allows(policies, pods["api server"], pods["run's head"], DASHBOARD)
    assert not allows(policies, pods["api server"], pods["run's head"], CLIENT)
    assert not allows(policies, pods["bucket"], pods["run's head"], DASHBOARD)


def test_reports_come_from_served_namespaces_only(manifests: Manifests, pods: dict[str, Endpoint]) -> None:
    policies = [item for item in manifests.chart({"namespaces": ["training"]}) if item["kind"] == "NetworkPolicy"]
    assert allows(policies, pods["run's head"], pods["operator"], PROGRESS)
    assert not allows(policies, pods["open run's head"], pods["operator"], PROGRESS)
