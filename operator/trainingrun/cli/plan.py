"""`trainingrun plan`: say what a run will need before it takes any node.

The file is checked here; rows are measured in a program of the training package, which this one becomes. It must not
import that package, nor what it needs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click

from trainingrun.contract.exits import Exit
from trainingrun.errors import InvalidSpec

_MODULE = "trainingrun_trainer"


@click.command("plan")
@click.option(
    "-f",
    "--filename",
    "file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with one TrainingRun, the same that you would apply to a cluster.",
)
@click.option(
    "--sample", type=click.IntRange(1), default=512, show_default=True, help="Rows of the training data to measure."
)
@click.option(
    "--trainer-rate",
    type=click.FloatRange(0, min_open=True),
    help="Rows per second that one trainer takes; default: measured here, on a GPU if the run asks for one.",
)
@click.option(
    "--volume",
    type=click.Path(file_okay=False, path_type=Path),
    help="Directory that stands in for the run's persistent volume, as for `trainingrun local`.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the forecast.",
)
def command(file: Path, sample: int, trainer_rate: float | None, volume: Path | None, output: str) -> None:
    """Measure some rows on this machine and forecast data nodes, stall, and time of an epoch.

    Starts no Ray and trains nothing that is kept. Ends with 0, or with 12 when the file cannot work, 13 when the run's
    own code failed, 14 when this machine or the storage did.
    """
    from trainingrun.spec.documents import load_runs

    try:
        load_runs(file)
    except InvalidSpec as error:
        click.echo(str(error), err=True)
        sys.exit(Exit.INVALID_CONFIG)
    if importlib.util.find_spec(_MODULE) is None or importlib.util.find_spec("torch") is None:
        raise click.ClickException("measuring needs more packages: pip install 'trainingrun[trainer]'")
    named = {"--trainer-rate": trainer_rate, "--volume": volume}
    chosen = [str(part) for name, value in named.items() if value is not None for part in (name, value)]
    fixed = ["--sample", str(sample), "--output", output]
    program = [sys.executable, "-m", f"{_MODULE}.local.plan_ahead", str(file), *fixed, *chosen]
    os.execv(sys.executable, program)  # noqa: S606 - no shell is wanted
