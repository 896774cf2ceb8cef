"""`trainingrun local`: train a run on this machine.

Training happens in a program of the training package, which this one becomes.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NoReturn

import click

from trainingrun.cli.options import LOCAL_CODE, code_option, file_option
from trainingrun.cli.trainer_program import become, become_module

_KEEP_MINUTES = 30
_MOST_KEEP_MINUTES = 24 * 60


def _check_keep(options: Mapping[str, object], flags: Collection[str]) -> None:
    """Refuse to keep a cluster where none is started, or where nothing can watch over it."""
    if sys.platform != "linux":
        raise click.UsageError(f"--keep needs Linux, and this is {sys.platform}: leave it out.")
    for name in ("--explain", "--debug"):
        if name in flags:
            raise click.UsageError(f"{name} starts no Ray cluster that could be kept: leave --keep out.")
    if options["--address"] is not None:
        raise click.UsageError("--address trains on a cluster that stays anyway: leave --keep out.")


def _check_debug(options: Mapping[str, object], flags: Collection[str]) -> None:
    """Refuse what one process without Ray cannot do."""
    trainers = options["--trainers"]
    if trainers not in (None, 1):
        raise click.UsageError(f"--debug trains in one process: found --trainers {trainers}, allowed: 1.")
    for name in ("--address", "--data-cpus"):
        if options[name] is not None:
            raise click.UsageError(f"--debug starts no Ray and no data workers: leave {name} out.")
    if "--explain" in flags:
        raise click.UsageError("--debug trains and --explain does not: choose one of them.")


def _stop() -> NoReturn:
    become_module("local.kept", doing="training", needs="ray")


@click.command("local")
@file_option
@code_option(LOCAL_CODE)
@click.option(
    "--trainers", type=click.IntRange(1, 1024), help="Training processes; default: as many as fit on this machine."
)
@click.option("--data-cpus", type=click.IntRange(1, 1024), help="CPUs for data; default: what the trainers leave.")
@click.option(
    "--volume",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that stands in for the run's persistent volume; default: its mount path if that exists, "
    "otherwise .trainingrun/<claim name>.",
)
@click.option("--address", help="Ray cluster to train on instead of a virtual one on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print progress records as JSON lines.")
@click.option("--verbose", is_flag=True, help="Also print what Ray logs.")
@click.option(
    "--explain",
    is_flag=True,
    help="Train nothing: show what the first rows become, column by column, what is decided, and what looks wrong.",
)
@click.option(
    "--debug",
    is_flag=True,
    help="Train in one process without Ray, with one trainer: breakpoint() works in the run's own functions.",
)
@click.option(
    "--keep",
    is_flag=False,
    flag_value=_KEEP_MINUTES,
    metavar="[MINUTES]",
    type=click.IntRange(1, _MOST_KEEP_MINUTES),
    help="After the run, keep a Ray cluster ready for the next one, for this many minutes (30 without a number): "
    "a run that fits it starts in seconds.",
)
@click.option(
    "--stop",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda _context, _option, is_set: _stop() if is_set else None,
    help="End the cluster that an earlier --keep has left, and exit; with code 1 if there is none.",
)
def command(
    file: Path,
    code: Path | None,
    trainers: int | None,
    data_cpus: int | None,
    volume: Path | None,
    address: str | None,
    as_json: bool,
    verbose: bool,
    explain: bool,
    debug: bool,
    keep: int | None,
) -> None:
    """Train a run on this machine, with virtual nodes instead of the cluster's two groups.

    Ends with 0 when the run is complete, 10 or 11 when it was stopped and can be continued by the same command, 12
    when the file cannot work, 13 when training failed, 14 when this machine or the storage did, even when tried again.
    """
    options = {
        "--code": code,
        "--trainers": trainers,
        "--data-cpus": data_cpus,
        "--volume": volume,
        "--address": address,
        "--keep": keep,
    }
    switches = {"--json": as_json, "--verbose": verbose, "--explain": explain, "--debug": debug}
    flags = [name for name, is_set in switches.items() if is_set]
    if debug:
        _check_debug(options, flags)
    if keep is not None:
        _check_keep(options, flags)
    become("local", file, options, flags, doing="training", needs="ray")
