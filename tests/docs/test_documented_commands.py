"""Every command in the documentation is a real one, with options that it really has."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from cluster_commands import check_docker, check_helm, check_kubectl
from documents import DOCUMENTS, ROOT, command_lines, inline_code

from trainingrun.cli import COMMANDS, main
from trainingrun.errors import InvalidSpec

LINES = command_lines()


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    variables = set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
    assert {word.partition("=")[0] for word in words if "=" in word} <= variables
    assert {word for word in words if "=" not in word} <= set(phony.group(1).split())


def check_trainingrun(words: list[str], *, is_whole: bool) -> None:
    context = click.Context(main)
    command = main.get_command(context, words[0])
    assert command is not None, f"no subcommand {words[0]}"
    if words[1:] == ["--help"] or words == ["local", "--stop"]:
        return
    with command.make_context(words[0], list(words[1:]), parent=context, resilient_parsing=True) as parsed:
        values, _, _ = command.make_parser(parsed).parse_args(list(words[1:]))
        for parameter in command.params:
            given = values.get(parameter.name or "")
            is_limited = isinstance(parameter.type, click.Choice | click.IntRange | click.FloatRange)
            if is_limited and isinstance(given, str | list | tuple):  # neither left out nor without its value
                parameter.type_cast_value(parsed, given)
            if is_whole and parameter.required:
                assert given, f"{parameter.name} is missing"


def check_export(words: list[str]) -> None:
    """Only what leads to the cluster of `make cluster`; tests/cluster tries it."""
    assert {word.partition("=")[0] for word in words} <= {"KUBECONFIG", "PATH"}
    assert all("=$PWD/.trainingrun/cluster" in word for word in words)


def check_python(words: list[str]) -> None:
    assert (ROOT / words[0]).is_file()


def check_ray(words: list[str]) -> None:
    from ray.scripts.scripts import cli

    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None
    with command.make_context(words[0], list(words[1:]), parent=context, resilient_parsing=True) as parsed:
        command.make_parser(parsed).parse_args(list(words[1:]))


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "docker": check_docker,
    "export": check_export,
    "helm": check_helm,
    "kubectl": check_kubectl,
    "python": check_python,
    "ray": check_ray,
}


@pytest.mark.parametrize(("where", "words"), LINES, ids=[f"{where} {' '.join(words)}" for where, words in LINES])
def test_command_lines(where: str, words: list[str]) -> None:
    program, *arguments = words
    if program == "trainingrun":
        check_trainingrun(arguments, is_whole=True)
    elif program == "make":
        check_make(arguments)
    else:
        assert program in CHECKS, f"{where}: no test knows {program}"
        CHECKS[program](arguments)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_text(document: Path) -> None:
    for code in inline_code(document):
        program, *words = shlex.split(code) if re.match(r"(trainingrun|make|kubectl(?! trainingrun)) ", code) else [""]
        if program == "make":
            check_make(words)
        elif program == "kubectl":
            # One that ends in an option is only the beginning of a line.
            if not re.fullmatch("-[^=]*", words[-1]):
                check_kubectl(words)
        elif program and not any(mark in code for mark in "()"):
            check_trainingrun(words, is_whole=False)


def test_files_that_shell_lines_name_are_there() -> None:
    named = [word for _, words in LINES for word in words if word.startswith(("manifests/", "docs/", "examples/"))]
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_subcommand_is_documented() -> None:
    documented = {words[1] for _, words in LINES if words[0] == "trainingrun"}
    assert documented == set(COMMANDS)


@pytest.mark.parametrize("broken", ["convert --no-such-option a b", "train -f x", "local", "convert a b --mode CMYK"])
def test_these_checks_notice_what_is_not_there(broken: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check_trainingrun(broken.split(), is_whole=True)


@pytest.mark.parametrize(
    "broken",
    [
        "kubectl get pods --no-such-option",
        "kubectl describe widgets",
        "kubectl get pods -l trainingrun.dev/no-such-label=mnist",
        "kubectl wait --for=condition=Done trainingrun/mnist",
        "kubectl apply -f manifests/samples/no-such-run.yaml",
        "helm install trainingrun charts/trainingrun-operator --set noSuchValue=1",
        "docker push registry.example/another:1",
        "export KUBECONFIG=$HOME/.kube/config",
    ],
)
def test_these_checks_notice_what_a_cluster_would_refuse(broken: str) -> None:
    program, *arguments = broken.split()
    with pytest.raises((AssertionError, InvalidSpec)):
        CHECKS[program](arguments)
