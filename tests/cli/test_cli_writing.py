"""`submit`, `suspend`, `resume` and `delete`: what they send, and what they say of the answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from api_double import ApiDouble, Request, status
from cluster_objects import pod, ray_job, run
from command_line import Run

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
MINIMAL = str(SAMPLES / "minimal.yaml")
CHANGED = 'TrainingRun.trainingrun.dev "mnist" is invalid: spec.image: Invalid value: `image` may not be changed after creation; create a TrainingRun with a different name instead'  # noqa: E501 fmt: skip


def test_a_file_is_sent_as_it_stands_by_server_side_apply(cli: Run, double: ApiDouble) -> None:
    result = cli("submit", "-f", MINIMAL)
    assert result.exit_code == 0
    assert result.stdout == "mnist submitted\n"
    assert result.stderr == "Follow it with `trainingrun status mnist -n training`.\n"
    (request,) = double.named("PATCH")
    assert request.path == "/apis/trainingrun.dev/v1beta1/namespaces/training/trainingruns/mnist"
    assert request.headers["Content-Type"].startswith("application/apply-patch+yaml")
    assert request.query == {"fieldManager": "trainingrun-cli", "fieldValidation": "Strict", "force": "false"}
    document = yaml.safe_load(Path(MINIMAL).read_text())
    assert request.body == {**document, "metadata": {"name": "mnist", "namespace": "training"}}


def test_what_a_server_has_added_to_a_document_is_not_sent_back(cli: Run, double: ApiDouble) -> None:
    document = yaml.safe_load(Path(MINIMAL).read_text())
    document["metadata"] |= {"uid": "u", "resourceVersion": "3", "generation": 2, "labels": {"team": "vision"}}
    assert cli("submit", "-f", "-", stdin=yaml.safe_dump(document)).exit_code == 0
    assert double.named("PATCH")[0].body["metadata"] == {
        "name": "mnist",
        "namespace": "training",
        "labels": {"team": "vision"},
    }


def test_every_run_of_a_file_is_sent(cli: Run, double: ApiDouble) -> None:
    result = cli("submit", "-f", str(SAMPLES / "full.yaml"))
    assert result.stdout == "images-resnet18 submitted\nown-entrypoint submitted\nreviews submitted\n"
    assert [request.body["metadata"]["namespace"] for request in double.named("PATCH")] == ["training"] * 3


def test_every_file_is_sent(cli: Run, double: ApiDouble) -> None:
    result = cli("submit", "-f", MINIMAL, "-f", str(SAMPLES / "s3.yaml"))
    assert result.stdout == "Secret s3-credentials applied\nmnist submitted\non-s3 submitted\n"
    assert len(double.named("PATCH")) == 3
    assert "2" in cli("submit", "-f", MINIMAL, "-f", str(SAMPLES / "s3.yaml"), "--wait").stderr


def test_runtimes_are_sent_before_runs_and_each_as_it_is_written(cli: Run, double: ApiDouble, tmp_path: Path) -> None:
    result = cli("submit", "-f", str(SAMPLES / "runtime.yaml"))
    assert result.stdout.splitlines() == [
        "ClusterTrainingRuntime gpu applied",
        "TrainingRuntime cpu applied",
        "mnist-gpu submitted",
        "mnist-cpu submitted",
    ]
    cluster, namespaced, *runs = double.named("PATCH")
    assert cluster.path == "/apis/trainingrun.dev/v1beta1/clustertrainingruntimes/gpu"
    assert namespaced.path == "/apis/trainingrun.dev/v1beta1/namespaces/training/trainingruntimes/cpu"
    assert cluster.body["spec"]["template"]["backoffLimit"] == 5
    assert [request.body["spec"]["runtimeRef"]["name"] for request in runs] == ["gpu", "cpu"]
    assert all("image" not in request.body["spec"] for request in runs)
    (tmp_path / "only.yaml").write_text((SAMPLES / "runtime.yaml").read_text().split("---\n")[1])
    only = cli("submit", "-f", str(tmp_path / "only.yaml"))
    assert only.exit_code == 12 and "there is no TrainingRun; expected at least one" in only.stderr
    assert len(double.named("PATCH")) == 4


def test_nothing_is_sent_if_one_of_the_files_is_invalid(cli: Run, double: ApiDouble, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("kind: TrainingRun\n")
    assert cli("submit", "-f", MINIMAL, "-f", str(tmp_path / "run.yaml")).exit_code == 12
    assert double.requests == []


def test_a_folder_and_files_without_the_option_are_sent_too(cli: Run, double: ApiDouble, tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "notes.txt"):
        (tmp_path / name).write_text(Path(MINIMAL).read_text().replace("name: mnist", f"name: of-{name[0]}"))
    result = cli("submit", str(tmp_path), MINIMAL)
    assert result.stdout == "of-a submitted\nof-b submitted\nmnist submitted\n"


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_a_run_comes_with_is_applied_before_it(cli: Run, double: ApiDouble, dry_run: bool) -> None:
    text = (SAMPLES / "persistent-volume.yaml").read_text()
    result = cli("submit", "-f", "-", *(["--dry-run"] if dry_run else []), stdin=text)
    claim, run_ = double.named("PATCH")
    document = next(found for found in yaml.safe_load_all(text) if found["kind"] == "PersistentVolumeClaim")
    name = document["metadata"]["name"]
    assert claim.path == f"/api/v1/namespaces/training/persistentvolumeclaims/{name}"
    assert claim.body["spec"] == document["spec"]
    assert claim.query.get("dryRun") == ("All" if dry_run else None)
    assert run_.body["kind"] == "TrainingRun"
    assert result.stdout.startswith(f"PersistentVolumeClaim {name} applied{' (dry run)' if dry_run else ''}\n")


@pytest.mark.parametrize(
    ("other", "code", "words"),
    [
        ("apiVersion: v1\nkind: Widget\nmetadata: {name: a}\n", 4, "<stdin>:1: the cluster does not know Widget of"),
        ("kind: Secret\nmetadata: {name: a}\n", 4, "the cluster does not know Secret of apiVersion none"),
        ("apiVersion: v1\nkind: Secret\n", 4, "a document of kind Secret without metadata.name cannot be applied"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a, name: b}\n", 12, "<stdin>:3:"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: b}\n", 4, "has the namespace b in the file"),
    ],
)
def test_a_document_that_cannot_be_applied_is_never_left_out(
    cli: Run, double: ApiDouble, other: str, code: int, words: str
) -> None:
    result = cli("submit", "-f", "-", "-n", "training", stdin=f"{other}---\n{Path(MINIMAL).read_text()}")
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in result.stderr
    assert double.named("PATCH") == []


def test_an_invalid_file_is_never_sent(cli: Run, double: ApiDouble, tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    text = Path(MINIMAL).read_text().replace("numNodes: 2", "numNodes: two")
    path.write_text(text)
    line = text[: text.index("numNodes: two")].count("\n") + 1
    result = cli("submit", "-f", str(path))
    assert result.exit_code == 12
    assert result.stderr.startswith(f'{path}:{line}:5: spec.data.numNodes: found "two", allowed: a whole number')
    assert double.requests == []


@pytest.mark.parametrize("text", ["", "kind: ConfigMap\n", "{", "\x00"])
def test_a_file_without_a_run_is_said_to_have_none(cli: Run, double: ApiDouble, text: str) -> None:
    result = cli("submit", "-f", "-", stdin=text)
    assert result.exit_code == 12
    assert "<stdin>" in result.stderr
    assert double.requests == []


def test_a_dry_run_changes_nothing(cli: Run, double: ApiDouble) -> None:
    assert cli("submit", "-f", MINIMAL, "--dry-run").stdout == "mnist submitted (dry run)\n"
    assert double.named("PATCH")[0].query["dryRun"] == "All"
    assert double.objects == {}
    assert cli("submit", "-f", MINIMAL, "--dry-run", "--wait").exit_code == 2


def test_a_changed_spec_is_answered_with_what_to_do(cli: Run, double: ApiDouble) -> None:
    from api_double import Fault

    double.faults.append(Fault("PATCH", "", 422, status(422, "Invalid", CHANGED)))
    result = cli("submit", "-f", MINIMAL)
    assert result.exit_code == 4
    assert "`image` may not be changed after creation" in result.stderr
    assert "create a new TrainingRun (new name)" in result.stderr


def test_fields_of_other_tools_are_taken_over_only_on_request(cli: Run, double: ApiDouble) -> None:
    from api_double import Fault

    words = 'Apply failed with 1 conflict: conflict with "argocd": .spec.suspend'
    double.faults.append(Fault("PATCH", "", 409, status(409, "Conflict", words), times=1))
    result = cli("submit", "-f", MINIMAL)
    assert result.exit_code == 4
    assert words in result.stderr
    assert "--force-conflicts" in result.stderr
    assert cli("submit", "-f", MINIMAL, "--force-conflicts").exit_code == 0
    assert double.named("PATCH")[-1].query["force"] == "true"


def test_a_namespace_that_contradicts_the_file_is_refused(cli: Run, double: ApiDouble) -> None:
    result = cli("submit", "-f", str(SAMPLES / "full.yaml"), "-n", "research")
    assert result.exit_code == 4
    assert "images-resnet18 has the namespace training in the file, but -n says research." in result.stderr
    assert double.named("PATCH") == []


def test_submit_may_wait_for_the_end(cli: Run, double: ApiDouble) -> None:
    def train(request: Request) -> None:
        if request.query.get("watch"):
            double.put("trainingruns", run("mnist", "Failed", "Failed", Failed_reason="OutOfMemory"))

    double.before = train
    result = cli("submit", "-f", MINIMAL, "--wait")
    assert result.exit_code == 13
    assert result.stderr.endswith("mnist Failed (OutOfMemory): words of Failed\n")
    assert cli("submit", "-f", str(SAMPLES / "full.yaml"), "--wait").exit_code == 2


@pytest.mark.parametrize(("command", "before", "after"), [("suspend", False, True), ("resume", True, False)])
def test_suspend_and_resume_write_one_field_of_this_very_run(
    cli: Run, double: ApiDouble, command, before, after
) -> None:
    body = run()
    body["spec"]["suspend"] = before
    double.put("trainingruns", body)
    assert cli(command, "mnist").exit_code == 0
    (request,) = double.named("PATCH")
    assert request.body == {"metadata": {"uid": "uid-of-mnist"}, "spec": {"suspend": after}}
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    again = cli(command, "mnist")
    assert again.exit_code == 0
    assert len(double.named("PATCH")) == 1


@pytest.mark.parametrize("state", ["Complete", "Failed"])
def test_a_run_that_is_over_cannot_be_suspended(cli: Run, double: ApiDouble, state: str) -> None:
    double.put("trainingruns", run("mnist", state, state))
    result = cli("suspend", "mnist")
    assert result.exit_code == 4
    assert f"mnist is over ({state})" in result.stderr
    assert double.named("PATCH") == []


def test_delete_names_the_very_object(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist"))
    double.put("trainingruns", run("cifar"))
    result = cli("delete", "mnist", "cifar")
    assert (result.exit_code, result.stdout) == (0, "mnist deleted\ncifar deleted\n")
    assert [request.body["preconditions"]["uid"] for request in double.named("DELETE")] == [
        "uid-of-mnist",
        "uid-of-cifar",
    ]
    assert double.objects == {}


def test_delete_may_wait_until_nothing_of_the_run_is_left(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    double.put("rayjobs", ray_job())
    double.put("pods", pod("head"))
    other = pod("trainer", "other")
    other["metadata"]["labels"]["trainingrun.dev/run-uid"] = "uid-of-another"
    double.put("pods", other)

    def collect(request: Request) -> None:
        if len(double.named("GET", "rayclusters")) == 3 and ("rayjobs", "training", "mnist-ck4to-0") in double.objects:
            double.remove("rayjobs", "training", "mnist-ck4to-0")
        if len(double.named("GET", "rayclusters")) == 5 and request.path.endswith("pods"):
            double.objects.pop(("pods", "training", "mnist-ck4to-0-head-x7k2p"), None)

    double.before = collect
    result = cli("delete", "mnist", "--wait")
    assert result.exit_code == 0
    assert result.stdout == "mnist deleted\nmnist: all its objects are gone\n"
    assert result.stderr == "mnist: waiting for RayJob mnist-ck4to-0, Pod mnist-ck4to-0-head-x7k2p\n"
    assert len(double.named("GET", "rayclusters")) == 5


def test_delete_gives_up_waiting_after_its_time(cli: Run, double: ApiDouble) -> None:
    double.put("trainingruns", run())
    double.put("pods", pod("head"))
    result = cli("delete", "mnist", "--wait", "--timeout", "1")
    assert result.exit_code == 124
    assert "its pods are not gone yet" in result.stderr
    assert cli("delete", "mnist", "--timeout", "1").exit_code == 2
