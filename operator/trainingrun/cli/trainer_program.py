"""Becomes a program of the training package, once the run's file has been checked here, in milliseconds.

It must not import that package, nor what it needs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import click

from trainingrun.contract.exits import Exit
from trainingrun.errors import InvalidSpec

_PACKAGE = "trainingrun_trainer"


def become(
    module: str, file: Path, options: Mapping[str, object], flags: Sequence[str] = (), *, doing: str, needs: str
) -> NoReturn:
    """Run `module` of the training package on `file` in place of this program, with the `options` that have a value.

    Ends with 12 where the file cannot work. `doing` says what takes the package `needs`, if that is not there.
    """
    from trainingrun.spec.documents import load_runs

    try:
        load_runs(file)
    except InvalidSpec as error:
        click.echo(str(error), err=True)
        sys.exit(Exit.INVALID_CONFIG)
    chosen = [str(part) for name, value in options.items() if value is not None for part in (name, value)]
    become_module(module, str(file), *chosen, *flags, doing=doing, needs=needs)


def become_module(module: str, *arguments: str, doing: str, needs: str) -> NoReturn:
    """Run `module` of the training package in place of this program."""
    if importlib.util.find_spec(_PACKAGE) is None or importlib.util.find_spec(needs) is None:
        raise click.ClickException(f"{doing} needs more packages: pip install 'trainingrun[trainer]'")
    program = [sys.executable, "-m", f"{_PACKAGE}.{module}", *arguments]
    os.execv(sys.executable, program)  # noqa: S606 - no shell is wanted
