"""`render`: the very object that the operator creates, without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from trainingrun.cli import main
from trainingrun.observed import run_object_of
from trainingrun.render import RenderSettings, ray_job

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
MINIMAL, FULL, RUNTIMES = SAMPLES / "minimal.yaml", SAMPLES / "full.yaml", SAMPLES / "runtime.yaml"
UID = "5f4c1f0a-7c1f-4b59-9a27-2f4f0f0b6a11"


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/absent")


def render(*arguments: object, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["render", *map(str, arguments)], input=stdin)
    assert isinstance(result.exception, SystemExit | None)
    return result


def submitted(path: Path) -> str:
    """The run as `kubectl get -o yaml` gives it: with the uid that names and owners are made of."""
    document = yaml.safe_load(path.read_text())
    document["metadata"] |= {"uid": UID, "namespace": "training", "resourceVersion": "1", "generation": 1}
    return yaml.safe_dump({**document, "status": {"state": "Running"}})


def test_it_is_what_the_operator_creates() -> None:
    document = submitted(MINIMAL)
    result = render("-f", "-", "--attempt", "2", "--progress-url", "https://op.example:8443", stdin=document)
    assert result.exit_code == 0
    owner = run_object_of(yaml.safe_load(document))
    expected = ray_job(owner, 2, RenderSettings(progress_url="https://op.example:8443"))
    assert yaml.safe_load(result.stdout) == json.loads(json.dumps(expected))
    assert "stands for its uid" not in result.stdout


def test_a_file_that_no_server_has_seen_gets_a_placeholder_that_is_named() -> None:
    result = render("-f", MINIMAL, "-n", "research")
    comment = result.stdout.splitlines()[1]
    assert comment.startswith(f"# {MINIMAL}:")
    assert "attempt 0 of mnist; 00000000-0000-0000-0000-000000000000 stands for its uid" in comment
    manifest = yaml.safe_load(result.stdout)
    assert (manifest["kind"], manifest["metadata"]["namespace"]) == ("RayJob", "research")


def test_every_run_of_a_file_is_a_document() -> None:
    result = render("-f", FULL)
    documents = list(yaml.safe_load_all(result.stdout))
    assert [document["kind"] for document in documents] == ["RayJob"] * 3
    assert [document["metadata"]["namespace"] for document in documents] == ["training", "default", "default"]


def test_every_run_of_every_file_is_rendered() -> None:
    documents = list(yaml.safe_load_all(render("-f", MINIMAL, "-f", FULL).stdout))
    assert len(documents) == 4


def test_json_is_json_alone() -> None:
    one = render("-f", MINIMAL, "-o", "json")
    assert json.loads(one.stdout) == yaml.safe_load(render("-f", MINIMAL).stdout)
    assert "stands for its uid" in one.stderr
    several = json.loads(render("-f", FULL, "-o", "json").stdout)
    assert (several["kind"], len(several["items"])) == ("List", 3)


@pytest.mark.parametrize(
    ("stdin", "words"),
    [("kind: TrainingRun\n", "apiVersion"), ("{", "<stdin>"), ("", "<stdin>")],
    ids=["incomplete", "no-yaml", "empty"],
)
def test_a_file_that_is_not_valid_is_answered_with_its_problems(stdin: str, words: str) -> None:
    result = render("-f", "-", stdin=stdin)
    assert (result.exit_code, result.stdout) == (12, "")
    assert words in result.stderr


def test_a_name_that_no_namespace_can_have_is_refused() -> None:
    result = render("-n", "Bad NS", "-f", MINIMAL)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "found Bad NS, allowed: lowercase letters, digits and -, at most 63 of them" in result.stderr


def test_a_runtime_may_be_in_another_file_and_is_needed(tmp_path: Path) -> None:
    documents = RUNTIMES.read_text().split("---\n")[1:]
    runtimes, run = tmp_path / "runtimes.yaml", tmp_path / "run.yaml"
    runtimes.write_text("---\n".join(documents[:2]))
    run.write_text(documents[2])
    result = render("-f", run, "-f", runtimes)
    image = yaml.safe_load(result.stdout)["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][
        0
    ]
    assert image["image"] == "registry.example/trainingrun-trainer:0.1.0"
    alone = render("-f", run)
    assert alone.exit_code == 12
    assert "spec.runtimeRef: found ClusterTrainingRuntime gpu, allowed: a runtime whose document is" in alone.output


def test_every_field_says_whence_it_came() -> None:
    lines = render("-f", RUNTIMES, "--explain").stdout.splitlines()
    assert lines[:2] == ["---", f"# {RUNTIMES}:39: mnist-gpu"]
    for line in (
        'spec.storage.uri: "s3://training/runs"  # ClusterTrainingRuntime gpu',
        'spec.env[0].value: "INFO"  # run',
        "spec.backoffLimit: 1  # run",
        'spec.storage.persistentVolumeClaim.claimName: "team"  # TrainingRuntime cpu',
        "spec.backoffLimit: 3  # default",
    ):
        assert line in lines
    found = json.loads(render("-f", RUNTIMES, "--explain", "-o", "json").stdout)
    row = {"field": "spec.image", "value": "registry.example/trainingrun-trainer:0.1.0"}
    assert {**row, "origin": "ClusterTrainingRuntime gpu"} in found["mnist-gpu"]
