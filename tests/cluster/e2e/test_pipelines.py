"""kubectl apply, diff and wait do with a TrainingRun what a pipeline knows from Kubernetes' own kinds.

One run that trains, applied by the client, and three that do not, applied by the server; all of them at once. They
are in the states for which GitOps tools are told what to say, so that this is checked against them as well.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import recordings
import yaml
from cluster_client import Cluster, wait_until
from helm_release import OPERATOR_NAMESPACE
from namespaces import Namespace
from nodes import KUBERAY_NAMESPACE
from run_on_cluster import TrainingRun

Object = dict[str, Any]
# What each run is called, and what it differs in from a small one.
_RUNS: dict[str, Object] = {
    "training": {"recipe": {"epochs": 8}},
    "failing": {"image": "registry.example/UPPER:case"},
    "waiting": {"storage": {"persistentVolumeClaim": {"claimName": "no-such-claim"}}},
    "suspended": {"suspend": True},
}
_BY_THE_SERVER = ("failing", "waiting", "suspended")


@dataclass
class Pipeline:
    """Files with runs, and the kubectl that a pipeline would call."""

    cluster: Cluster
    namespace: Namespace
    folder: Path
    runs: dict[str, TrainingRun] = field(default_factory=dict)

    def apply(self, name: str) -> str:
        """Apply the file of a run; returns what kubectl says."""
        return self.cluster.run("apply", *self._options(name)).stdout

    def diff(self, name: str) -> subprocess.CompletedProcess[str]:
        """Compare the file of a run with the cluster."""
        return self.cluster.run("diff", *self._options(name), check=False)

    def wait(self, name: str, condition: str, seconds: int) -> subprocess.CompletedProcess[str]:
        """Wait as a pipeline waits."""
        options = [f"--for=condition={condition}", f"--timeout={seconds}s", f"--namespace={self.namespace.name}"]
        return self.cluster.run("wait", f"trainingrun/{name}", *options, check=False, seconds=seconds + 30)

    def add(self, name: str) -> None:
        """Write the file of a run, and apply it for the first time."""
        document = self.namespace.document(**{"trainer": {"numNodes": 1}, **_RUNS[name]})
        document["metadata"]["name"] = name
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
        self.apply(name)
        self.runs[name] = TrainingRun(self.cluster, self.namespace.name, self.namespace.volume, name)

    def _options(self, name: str) -> list[str]:
        return [f"--filename={self.folder / name}.yaml", f"--server-side={str(name in _BY_THE_SERVER).lower()}"]


@pytest.fixture(scope="module")
def pipeline(cluster: Cluster, shared_namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """All runs, each in the state that it is named by."""
    made = Pipeline(cluster, shared_namespace, tmp_path_factory.mktemp("pipeline"))
    for name in _RUNS:
        made.add(name)
    made.runs["suspended"].wait_for("Suspended", 60)
    made.runs["failing"].wait_for("Failed", 120)
    waiting = made.runs["waiting"]
    wait_until(lambda: waiting.condition("PodsReady").get("reason") == "Unschedulable", 60, "waiting", waiting.shown)
    made.runs["training"].wait_for_step(1, 600)
    return made


@pytest.fixture(scope="module")
def complete(pipeline: Pipeline) -> subprocess.CompletedProcess[str]:
    """What `kubectl wait` says at the end of training."""
    return pipeline.wait("training", "Complete", 900)


@pytest.mark.parametrize("name", ["waiting", "training", "failing", "suspended"])
def test_the_status_is_one_that_gitops_tools_were_tried_on(pipeline: Pipeline, name: str) -> None:
    assert recordings.same_run(name, pipeline.runs[name].read())


def test_pods_are_those_that_network_policies_were_tried_on(pipeline: Pipeline, cluster: Cluster) -> None:
    run = pipeline.runs["training"]
    pods = {f"run's {group}": run.pods(group)[0] for group in ("head", "data", "trainer")}
    for name, namespace, selector in (
        ("operator", OPERATOR_NAMESPACE, "app.kubernetes.io/component=manager"),
        ("kuberay", KUBERAY_NAMESPACE, "app.kubernetes.io/component=kuberay-operator"),
        ("dns", "kube-system", "k8s-app=kube-dns"),
    ):
        pods[name] = cluster.list("pods", namespace, selector)[0]
    assert recordings.same_pods(pods)


@pytest.mark.parametrize("name", _RUNS)
def test_what_was_applied_is_not_different_from_what_is_there(pipeline: Pipeline, name: str) -> None:
    done = pipeline.diff(name)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", _RUNS)
def test_applying_it_again_changes_nothing(pipeline: Pipeline, name: str) -> None:
    run = pipeline.runs[name]
    before = _authored(run)
    said = pipeline.apply(name)
    assert _authored(run) == before
    assert before["generation"] == 1
    assert len(run.attempts) == (0 if name == "suspended" else 1)
    # To the server, an apply that changes nothing is one too.
    assert said == f"trainingrun.trainingrun.dev/{name} {_verb(name)}\n"


def test_a_change_of_the_file_is_shown_by_diff_and_refused_by_apply(pipeline: Pipeline) -> None:
    file = pipeline.folder / "waiting.yaml"
    text = file.read_text()
    file.write_text(text.replace("epochs: 6", "epochs: 7"))
    try:
        done = pipeline.diff("waiting")
        with pytest.raises(AssertionError, match="may not be changed after creation"):
            pipeline.apply("waiting")
    finally:
        file.write_text(text)
    assert done.returncode > 0


def test_waiting_for_a_run_that_fails_ends(pipeline: Pipeline) -> None:
    done = pipeline.wait("failing", "Failed", 10)
    assert (done.returncode, done.stdout) == (0, "trainingrun.trainingrun.dev/failing condition met\n")


def test_waiting_for_a_run_ends_when_it_is_complete(
    complete: subprocess.CompletedProcess[str], pipeline: Pipeline
) -> None:
    assert (complete.returncode, complete.stdout) == (0, "trainingrun.trainingrun.dev/training condition met\n")
    run = pipeline.runs["training"].read()
    assert recordings.same_run("complete", run)


@pytest.mark.usefixtures("complete")
@pytest.mark.parametrize("name", ["training", "failing"])
def test_a_run_that_is_over_is_not_touched_by_another_apply(pipeline: Pipeline, name: str) -> None:
    run = pipeline.runs[name]
    # Its status may still tell that its machines are given back.
    before = (_authored(run), run.attempts, run.status["completionTime"])
    pipeline.apply(name)
    assert pipeline.diff(name).returncode == 0
    assert (_authored(run), run.attempts, run.status["completionTime"]) == before


@pytest.mark.usefixtures("complete")
def test_kubectl_get_tells_how_runs_are(pipeline: Pipeline, cluster: Cluster) -> None:
    table = cluster.run("get", "trun", f"--namespace={pipeline.namespace.name}").stdout
    heading, *lines = table.splitlines()
    assert heading.split() == ["NAME", "STATE", "PODS", "PROGRESS", "STALL", "ATTEMPT", "AGE"]
    rows = {line.split()[0]: line for line in lines}
    states = {name: row.split()[1] for name, row in rows.items()}
    assert states == {"training": "Complete", "failing": "Failed", "waiting": "Starting", "suspended": "Suspended"}
    # Cells are below the names of their columns, and may be empty.
    assert rows["training"][heading.index("PROGRESS") :].split()[0] == "100"


def _authored(run: TrainingRun) -> Object:
    """What others than the operator have written, and when."""
    cluster, where = run.cluster, f"--namespace={run.namespace}"
    shown = cluster.run("get", "trainingrun", run.name, where, "--output=json", "--show-managed-fields").stdout
    metadata = json.loads(shown)["metadata"]
    written = [entry for entry in metadata["managedFields"] if entry.get("subresource") != "status"]
    return {"generation": metadata["generation"], "uid": metadata["uid"], "written": written}


def _verb(name: str) -> str:
    return "serverside-applied" if name in _BY_THE_SERVER else "unchanged"
