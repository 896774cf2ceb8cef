"""Every command in the documentation is a real one, with options that it really has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
from documents import DOCUMENTS, ROOT, command_lines, inline_code

from trainingrun.cli import COMMANDS, main
from trainingrun.conditions import ConditionType

LINES = command_lines()


def make_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    return set(phony.group(1).split())


def check_trainingrun(words: list[str], *, is_whole: bool) -> None:
    context = click.Context(main)
    command = main.get_command(context, words[0])
    assert command is not None, f"no subcommand {words[0]}"
    if words[1:] == ["--help"]:
        return
    with command.make_context(words[0], list(words[1:]), parent=context, resilient_parsing=True) as parsed:
        values, _, _ = command.make_parser(parsed).parse_args(list(words[1:]))
        for parameter in command.params:
            given = values.get(parameter.name or "")
            if isinstance(parameter.type, click.Choice | click.IntRange | click.FloatRange) and given is not None:
                parameter.type_cast_value(parsed, given)
            if is_whole and parameter.required:
                assert given, f"{parameter.name} is missing"


def check_kubectl(words: list[str]) -> None:
    """No cluster is asked: what is applied or waited for must be there, and no other verb is in use."""
    verb, *options = words
    assert verb in ("apply", "create", "wait"), f"no test knows kubectl {verb}"
    if verb == "apply":
        option, path = [word for word in options if word != "--server-side"]
        assert (ROOT / path / "kustomization.yaml" if option == "-k" else ROOT / path).is_file()
    elif verb == "wait":
        (condition,) = [word.removeprefix("--for=condition=") for word in options if word.startswith("--for=")]
        assert condition in list(ConditionType)


def check_ray(words: list[str]) -> None:
    from ray.scripts.scripts import cli

    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None
    with command.make_context(words[0], list(words[1:]), parent=context, resilient_parsing=True) as parsed:
        command.make_parser(parsed).parse_args(list(words[1:]))


@pytest.mark.parametrize(("where", "words"), LINES, ids=[f"{where} {' '.join(words)}" for where, words in LINES])
def test_command_lines(where: str, words: list[str]) -> None:
    program, *arguments = words
    if program == "trainingrun":
        check_trainingrun(arguments, is_whole=True)
    elif program == "make":
        assert set(arguments) <= make_targets()
    elif program == "kubectl":
        check_kubectl(arguments)
    else:
        assert program == "ray", f"{where}: no test knows {program}"
        check_ray(arguments)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_in_the_text(document: Path) -> None:
    for code in inline_code(document):
        program, *words = shlex.split(code) if re.match(r"(trainingrun|make) ", code) else [""]
        if program == "make":
            assert set(words) <= make_targets()
        elif program and not any(mark in code for mark in "()"):
            check_trainingrun(words, is_whole=False)


def test_files_that_shell_lines_name_are_there() -> None:
    named = [word for _, words in LINES for word in words if word.startswith(("manifests/", "docs/"))]
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_subcommand_is_documented() -> None:
    documented = {words[1] for _, words in LINES if words[0] == "trainingrun"}
    assert documented == set(COMMANDS)


@pytest.mark.parametrize("broken", ["convert --no-such-option a b", "train -f x", "local", "convert a b --mode CMYK"])
def test_these_checks_notice_what_is_not_there(broken: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check_trainingrun(broken.split(), is_whole=True)
