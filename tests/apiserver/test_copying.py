"""Files of a claim through the real API server, which admits the pod under the restricted profile and knows the rights.

What the documentation says that a user must be allowed to do is all that this user is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from control_plane import ControlPlane
from exec_kubelet import ExecKubelet
from kubelet_double import KubeletDouble, ready
from raw_client import Object, RawClient
from training_runs import TrainingRuns

from trainingrun.cli import main

pytestmark = pytest.mark.usefixtures("no_operator")

_PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
_CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/models"}}


@pytest.fixture
def claim(
    control_plane: ControlPlane, admin: RawClient, kubelet: KubeletDouble, namespace: str, tmp_path: Path
) -> Iterator[ExecKubelet]:
    """The claim of pods in the test's namespace, which admits restricted pods only."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.patch("namespaces", namespace, {"metadata": {"labels": enforced}})
    (tmp_path / "claim").mkdir()
    serving = ExecKubelet(admin, control_plane.certificates, tmp_path / "claim")

    def started(pod: Object) -> Object:
        serving.register(f"node-of-{pod['metadata']['name']}")
        return ready(pod)

    kubelet.script(namespace, started)
    yield serving
    serving.stop()


def documented_rights() -> list[Object]:
    """The rules that the page's table lists for both commands."""
    (words,) = re.findall(r"^\| `download`, `upload` \| (.*) \|$", _PAGE.read_text(), re.MULTILINE)
    groups = {"trainingruns": "trainingrun.dev"}
    found = re.findall(r"((?:\b(?:get|create|list|delete)\b,? ?)+) on (trainingruns|pods/exec|pods|events)", words)
    assert {resource for _, resource in found} == {"trainingruns", "pods", "pods/exec", "events"}
    return [
        {"apiGroups": [groups.get(resource, "")], "resources": [resource], "verbs": re.findall(r"\w+", verbs)}
        for verbs, resource in found
    ]


@pytest.fixture
def user(control_plane: ControlPlane, admin: RawClient, namespace: str) -> Path:
    """The kubeconfig of who may do what the page lists."""
    admin.create("serviceaccounts", {"metadata": {"name": "copier"}}, namespace)
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "copier"}}
    admin.create("roles", {**role, "rules": documented_rights()}, namespace)
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "copier"}
    subject = {"kind": "ServiceAccount", "name": "copier", "namespace": namespace}
    binding = {"metadata": {"name": "copier"}, "roleRef": reference, "subjects": [subject]}
    admin.create("rolebindings", binding, namespace)
    return control_plane.kubeconfig(f"copier-{namespace}", control_plane.token_of(namespace, "copier"))


def call(user: Path, namespace: str, *arguments: str) -> Result:
    words = [*arguments, "--kubeconfig", str(user), "-n", namespace]
    return CliRunner().invoke(main, words, prog_name="trainingrun", catch_exceptions=False)


def test_files_go_to_a_claim_and_come_back_with_the_documented_rights_alone(
    claim: ExecKubelet, user: Path, runs: TrainingRuns, admin: RawClient, tmp_path: Path
) -> None:
    runs.apply("digits", storage=_CLAIM)
    checkpoint = tmp_path / "runs" / "folder" / "step-00000009-e00001a0g1"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.pt").write_bytes(bytes(range(256)) * 5_000)
    (checkpoint / "manifest.json").write_text('{"files": {}}')
    # Cut off once on the way there, so that the command comes back to the same pod.
    claim.exec.cuts += [1_000_000, 200]
    there = call(user, runs.namespace, "upload", str(tmp_path / "runs"), "models")
    assert there.exit_code == 0, there.output
    folder = "pvc://models/runs/folder"
    outputs = {"folderURI": folder, "last": {"uri": f"{folder}/{checkpoint.name}", "step": 9}}
    status = {"observedGeneration": 1, "state": "Complete", "conditions": [], "outputs": outputs}
    admin.patch("trainingruns", "digits", {"status": status}, runs.namespace, "status")
    back = call(user, runs.namespace, "download", "digits", str(tmp_path / "back"))
    assert back.exit_code == 0, back.output
    files = {path.name: path.read_bytes() for path in (tmp_path / "back").iterdir()}
    assert files == {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    # Not by chance: all that was done took these rights.
    runs.until_gone("pods", 30)


def test_who_may_not_run_commands_in_pods_is_told_so_and_leaves_no_pod(
    claim: ExecKubelet, user: Path, runs: TrainingRuns, admin: RawClient, tmp_path: Path
) -> None:
    rules = [rule for rule in documented_rights() if rule["resources"] != ["pods/exec"]]
    admin.patch("roles", "copier", {"rules": rules}, runs.namespace)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a,b")
    result = call(user, runs.namespace, "upload", str(tmp_path / "data"), "models", "--image", "trainer:1")
    assert result.exit_code == 4 and "get and create on pods/exec" in result.stderr
    runs.until_gone("pods", 30)
