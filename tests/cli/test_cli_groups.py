"""The program's own face: groups of commands, hints for wrong ones, colours, and what shells complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from api_double import ApiDouble, Fault, forbidden
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from cluster_objects import run
from command_line import Run

from trainingrun.cli import COMMANDS, GROUPS, main

ROOT = Path(__file__).parents[2]


def completed(*line: str) -> list[str]:
    """What a shell offers for the last word of the line."""
    *words, incomplete = line
    completion = ShellComplete(main, {}, "trainingrun", "_TRAININGRUN_COMPLETE")
    return [item.value for item in completion.get_completions(words, incomplete)]


def test_help_has_every_command_in_a_group_and_imports_none() -> None:
    code = (
        "import sys; from trainingrun.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith('trainingrun.cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    text = done.stdout
    assert text.endswith("\n[]\n")
    assert [line[:-1] for line in text.splitlines() if line.removesuffix(":") in GROUPS] == list(GROUPS)
    assert {path.stem for path in (ROOT / "operator/trainingrun/cli").glob("*.py")} >= set(COMMANDS)


def test_a_list_loads_neither_models_nor_pages(kubeconfig: Path, double: ApiDouble) -> None:
    code = (
        "import sys; from trainingrun.cli import main\n"
        "main(['get', '-o', 'wide'], standalone_mode=False)\n"
        "print({'trainingrun.spec.run', 'rich', 'jinja2', 'kopf'} & set(sys.modules))"
    )
    double.put("trainingruns", run("mnist"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[1].startswith("mnist   Running")
    assert done.stdout.endswith("\nset()\n")


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("list", "Did you mean get?"),
        ("apply", "Did you mean submit?"),
        ("statsu", "Did you mean status?"),
        ("zebra", "There is no command zebra.\n"),
    ],
)
def test_a_command_that_is_none_is_answered_with_the_one_that_may_be_meant(cli: Run, typed: str, hint: str) -> None:
    result = cli(typed, "mnist")
    assert result.exit_code == 2
    assert hint in result.stderr


def test_states_have_colours_on_a_terminal_and_columns_stay(
    kubeconfig: Path, double: ApiDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    double.put("trainingruns", run("mnist", "Complete", "Complete"))
    double.put("trainingruns", run("cifar", "Failed", "Failed"))
    coloured = CliRunner().invoke(main, ["get"], color=True).stdout
    assert "\x1b[32mComplete\x1b[0m" in coloured
    assert "\x1b[31mFailed\x1b[0m  " in coloured
    plain = CliRunner().invoke(main, ["get"]).stdout.splitlines()
    assert "\x1b" not in "".join(plain)
    assert len({line.index("ATTEMPT") if "ATTEMPT" in line else line.rindex(" - ") + 1 for line in plain}) == 1
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in CliRunner().invoke(main, ["get"], color=True).stdout


def test_names_of_runs_are_completed_within_what_the_line_says(kubeconfig: Path, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist"))
    double.put("trainingruns", run("mnist-large"))
    double.put("trainingruns", run("other", namespace="research"))
    assert completed("status", "mn") == ["mnist", "mnist-large"]
    assert completed("delete", "mnist", "mnist-") == ["mnist-large"]
    assert completed("logs", "-n", "research", "") == ["other"]
    assert completed("sta") == ["status"]


def test_a_cluster_that_is_away_completes_nothing_and_says_nothing(
    kubeconfig: Path, double: ApiDouble, capfd: pytest.CaptureFixture[str]
) -> None:
    assert completed("status", "--context", "nowhere", "") == []
    double.faults = [Fault("GET", "", 403, forbidden("list", "trainingruns"))]
    assert completed("status", "") == []
    assert completed("status", "--kubeconfig", "/absent", "") == []
    assert capfd.readouterr() == ("", "")


def test_files_are_completed_by_the_shell() -> None:
    completion = ShellComplete(main, {}, "trainingrun", "_TRAININGRUN_COMPLETE")
    for line in (["validate", "-f"], ["submit"], ["local", "-f"]):
        assert [item.type for item in completion.get_completions(line, "run")] == ["file"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_script_of_a_shell_asks_this_program(cli: Run, shell: str) -> None:
    result = cli("completion", shell)
    assert result.exit_code == 0
    assert f"_TRAININGRUN_COMPLETE={shell}_complete" in result.stdout
    assert "trainingrun" in result.stdout


def test_the_script_of_bash_is_taken_by_bash(cli: Run) -> None:
    script = cli("completion", "bash").stdout
    done = subprocess.run(["bash", "-c", f"{script}\ncomplete -p trainingrun"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("trainingrun\n")


def test_the_version_is_said(cli: Run) -> None:
    assert cli("version").stdout.startswith("trainingrun 0.1.0 (Python ")
