"""`trainingrun validate` as users and CI run it: a process with output and an exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from trainingrun.cli import COMMANDS, main

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
BROKEN = """\
apiVersion: trainingrun.dev/v1beta1
kind: TrainingRun
metadata: {name: mnist}
spec:
  image: trainer:1
  recipe:
    dataset: {train: {format: Parquet, path: /data}}
  trainer:
    numNodes: two
  storage: {uri: "s3://bucket/runs"}
"""


def trainingrun(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trainingrun", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_valid_files_are_named_and_the_status_is_0():
    sample = str(SAMPLES / "minimal.yaml")
    result = trainingrun("validate", "-f", sample, "-f", str(SAMPLES / "full.yaml"))
    assert result.returncode == 0
    assert f"{sample}:4: mnist is valid\n" in result.stdout
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr == ""


def test_a_problem_is_a_line_that_editors_can_jump_to_and_the_status_is_12(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(BROKEN)
    result = trainingrun("validate", "-f", str(path))
    assert result.returncode == 12
    assert result.stdout == (
        f'{path}:9:5: spec.trainer.numNodes: found "two", allowed: a whole number from 1 to 1000\n'
    )


def test_standard_input_is_read_and_other_kinds_are_noted_on_standard_error():
    result = trainingrun("validate", "-f", "-", stdin="kind: ConfigMap\n---\n" + BROKEN.replace("two", "2"))
    assert result.returncode == 0
    assert result.stdout == "<stdin>:3: mnist is valid\n"
    assert result.stderr == "<stdin>:1:1: skipped a document of kind ConfigMap; only TrainingRun is checked\n"


def test_no_run_at_all_is_status_12():
    result = trainingrun("validate", "-f", "-", stdin="kind: ConfigMap\n")
    assert result.returncode == 12
    assert result.stdout.startswith("<stdin>: there is no TrainingRun; expected ")


def test_json_holds_the_same_for_programs():
    result = trainingrun("validate", "-o", "json", "-f", "-", "-f", str(SAMPLES / "minimal.yaml"), stdin=BROKEN)
    assert result.returncode == 12
    said = json.loads(result.stdout)
    assert said["valid"] is False
    assert [run["name"] for run in said["runs"]] == ["mnist"]
    assert said["problems"] == [
        {
            "path": "spec.trainer.numNodes",
            "found": '"two"',
            "allowed": "a whole number from 1 to 1000",
            "source": "<stdin>",
            "line": 9,
            "column": 5,
        }
    ]


def test_the_command_says_its_version_and_what_it_can_do():
    assert trainingrun("--version").stdout == "trainingrun 0.1.0\n"
    assert "validate" in trainingrun("--help").stdout
    missing = trainingrun("validate")
    assert missing.returncode == 2
    assert "Missing option '-f'" in missing.stderr


def test_every_command_has_help():
    listed = trainingrun("--help").stdout
    for name in COMMANDS:
        assert f"  {name} " in listed
        result = CliRunner().invoke(main, [name, "--help"], prog_name="trainingrun")
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: trainingrun {name} ")


def test_an_unknown_command_is_one_sentence():
    result = trainingrun("train")
    assert result.returncode == 2
    assert "There is no command train. Did you mean local?" in result.stderr


def test_starting_needs_nothing_slow():
    check = "import sys, trainingrun.cli; print({'pydantic', 'yaml', 'ray', 'torch'} & set(sys.modules))"
    command = [sys.executable, "-c", check]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == "set()\n"


def test_a_run_without_its_runtime_is_valid_as_far_as_it_goes_and_says_what_is_not_known():
    def validate(text, *options):
        return CliRunner().invoke(main, ["validate", "-f", "-", *options], input=text)

    sample = (SAMPLES / "runtime.yaml").read_text()
    assert validate(sample).stdout.splitlines() == [
        "<stdin>:3: ClusterTrainingRuntime gpu is valid",
        "<stdin>:28: TrainingRuntime cpu is valid",
        "<stdin>:39: mnist-gpu is valid with ClusterTrainingRuntime gpu",
        "<stdin>:54: mnist-cpu is valid with TrainingRuntime cpu",
    ]
    runtimes, run = sample.split("---\n")[1:3], sample.split("---\n")[3]
    partly = validate(run, "-o", "json")
    (found,) = json.loads(partly.stdout)["runs"]
    assert partly.exit_code == 0
    assert found["unknownRuntime"] == {"kind": "ClusterTrainingRuntime", "name": "gpu"}
    words = "mnist-gpu is valid as far as it goes: ClusterTrainingRuntime gpu is in none of the files"
    assert words in validate(run).stdout
    assert validate("---\n".join(runtimes)).exit_code == 0
