"""The control plane of these tests is a real one, and the doubles around it do what KubeRay expects of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from audit_log import requests
from child_process import ChildProcess
from control_plane import ControlPlane
from kubelet_double import KubeletDouble, unschedulable
from lifetimes import Lifetimes
from raw_client import Object, RawClient, Refused
from ray_dashboard import Job, RayDashboard

_STARTS_A_CHILD = f"""
import pathlib, sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from child_process import ChildProcess
child = ChildProcess("sleeper", ["sleep", "600"], pathlib.Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""
_HAND_WRITTEN = Path(__file__).parent / "rayjob.yaml"


def ray_job(name: str) -> Object:
    body: Object = yaml.safe_load(_HAND_WRITTEN.read_text())
    body["metadata"]["name"] = name
    return body


def config_map(name: str, owner: Object | None = None) -> Object:
    metadata: Object = {"name": name}
    if owner:
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            **{key: owner["metadata"][key] for key in ("name", "uid")},
        }
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def submitted(admin: RawClient, dashboard: RayDashboard, namespace: str) -> Job:
    found = admin.until(lambda: dashboard.jobs_in(namespace), f"a job in {namespace}")
    assert len(found) == 1
    return found[0]


def deployment_status(admin: RawClient, name: str, namespace: str) -> str:
    return str(admin.get("rayjobs", name, namespace).get("status", {}).get("jobDeploymentStatus", ""))


def test_a_user_without_a_role_is_refused_in_words(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(Refused, match='User "nobody" cannot list resource "pods"') as refusal:
        control_plane.client("nobody").list("pods", namespace)
    assert refusal.value.code == 403


def test_what_an_owner_owned_is_deleted_with_it(admin: RawClient, namespace: str) -> None:
    owner = admin.create("configmaps", config_map("owner"), namespace)
    admin.create("configmaps", config_map("child", owner), namespace)
    admin.create("configmaps", config_map("orphan"), namespace)
    admin.delete("configmaps", "owner", namespace)
    admin.until(lambda: not admin.find("configmaps", "child", namespace), "the child is gone")
    assert admin.find("configmaps", "orphan", namespace)


def test_a_token_is_known_by_its_audience(control_plane: ControlPlane, admin: RawClient, namespace: str) -> None:
    token = control_plane.token_of(namespace, "default", audiences=["progress"])

    def review(audience: str) -> Object:
        body: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
        body["spec"] = {"token": token, "audiences": [audience]}
        return admin.create("tokenreviews", body)["status"]

    assert review("progress")["user"]["username"] == f"system:serviceaccount:{namespace}:default"
    assert not review("another").get("authenticated")


def test_a_quota_refuses_what_is_above_it(admin: RawClient, namespace: str) -> None:
    quota: Object = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}}
    admin.create("resourcequotas", {**quota, "spec": {"hard": {"count/configmaps": "1"}}}, namespace)
    admin.until(lambda: admin.get("resourcequotas", "quota", namespace).get("status", {}).get("used"), "quota at work")

    def refusal() -> str:
        # The authority's certificate is the one that it has room for. The server judges by a copy that it renews.
        try:
            admin.create("configmaps", config_map("second"), namespace)
        except Refused as refused:
            return str(refused)
        admin.delete("configmaps", "second", namespace)
        return ""

    assert "exceeded quota: quota" in admin.until(refusal, "the quota is held to")


@pytest.mark.usefixtures("kuberay")
def test_kuberay_runs_a_job_from_its_cluster_to_its_end(
    admin: RawClient, namespace: str, ray_dashboard: RayDashboard, kubelet: KubeletDouble
) -> None:
    admin.create("rayjobs", ray_job("by-hand"), namespace)
    job = submitted(admin, ray_dashboard, namespace)
    assert job.entrypoint == "python -m train"
    secret = admin.get("secrets", admin.list("rayclusters", namespace)[0]["metadata"]["name"], namespace)
    assert job.token, secret
    roles = sorted(pod["metadata"]["labels"]["ray.io/node-type"] for pod in admin.list("pods", namespace))
    assert roles == ["head", "worker", "worker"]
    job.finish()
    admin.until(lambda: deployment_status(admin, "by-hand", namespace) == "Complete", "the job is complete")
    admin.until(lambda: not admin.list("pods", namespace), "its pods are gone")


@pytest.mark.usefixtures("kuberay", "kubelet")
def test_a_job_that_is_deleted_is_stopped_and_leaves_nothing(
    admin: RawClient, namespace: str, ray_dashboard: RayDashboard
) -> None:
    admin.create("rayjobs", ray_job("deleted"), namespace)
    job = submitted(admin, ray_dashboard, namespace)
    admin.until(lambda: admin.get("rayjobs", "deleted", namespace)["status"].get("jobStatus") == "RUNNING", "it runs")
    admin.delete("rayjobs", "deleted", namespace)
    admin.until(lambda: not admin.list("pods", namespace), "its pods are gone")
    assert job.status == "STOPPED"
    assert not admin.list("rayclusters", namespace)


@pytest.mark.usefixtures("kuberay")
def test_pods_wait_in_the_words_of_a_scheduler(admin: RawClient, namespace: str, kubelet: KubeletDouble) -> None:
    kubelet.script(namespace, unschedulable("0/3 nodes are available: 3 Insufficient nvidia.com/gpu."))
    admin.create("rayjobs", ray_job("waiting"), namespace)
    pods = admin.until(lambda: admin.list("pods", namespace), "pods")
    name = pods[0]["metadata"]["name"]
    conditions = admin.until(lambda: admin.get("pods", name, namespace)["status"].get("conditions"), "conditions")
    assert conditions[0]["message"] == "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def test_a_restarted_api_server_has_kept_everything(
    control_plane: ControlPlane, admin: RawClient, namespace: str, kubelet: KubeletDouble, kuberay: ChildProcess
) -> None:
    admin.create("configmaps", config_map("kept"), namespace)
    control_plane.until_settled()
    control_plane.restart_api_server()
    assert admin.get("configmaps", "kept", namespace)
    assert kuberay.running
    pod = {"metadata": {"name": "later"}, "spec": {"containers": [{"name": "only", "image": "none"}]}}
    admin.create("pods", pod, namespace)
    admin.until(lambda: admin.get("pods", "later", namespace)["status"]["phase"] == "Running", "the kubelet is back")


def test_the_audit_log_tells_who_was_refused_what(control_plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(Refused):
        control_plane.client("nobody").create("configmaps", config_map("refused"), namespace)
    mine = [request for request in requests(control_plane.audit_log, "nobody") if request.namespace == namespace]
    assert [(request.permission, request.code) for request in mine] == [(("", "configmaps", "create"), 403)]


def test_lifetimes_show_when_two_attempts_lived_at_once(admin: RawClient, namespace: str) -> None:
    lifetimes = Lifetimes(admin, namespace)

    def pod(name: str, run: str, attempt: int) -> None:
        labels = {"trainingrun.dev/run-uid": run, "trainingrun.dev/attempt": str(attempt)}
        spec = {"containers": [{"name": "only", "image": "none"}]}
        admin.create("pods", {"metadata": {"name": name, "labels": labels}, "spec": spec}, namespace)

    pod("a-0", "a", 0)
    admin.delete("pods", "a-0", namespace, grace=0)
    pod("a-1", "a", 1)
    pod("b-0", "b", 0)
    pod("b-1", "b", 1)
    admin.delete("pods", "b-0", namespace, grace=0)
    admin.until(lambda: [life for life in lifetimes.all() if life.name == "b-0" and life.died], "the end of b-0")
    admin.until(lambda: lifetimes.attempts("a") == [0, 1], "all of a")
    lifetimes.stop()
    assert [words.split(" ")[0] for words in lifetimes.overlaps()] == ["pods/b-0"]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_no_program_outlives_the_tests_that_started_it(tmp_path: Path, end: signal.Signals) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _STARTS_A_CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = Path("/proc") / parent.stdout.readline().strip()
    assert child.exists()
    parent.send_signal(end)
    parent.wait(10)
    deadline = time.monotonic() + 10
    while child.exists() and "(zombie)" not in (child / "status").read_text():
        assert time.monotonic() < deadline, f"{child} lives on"
        time.sleep(0.01)
