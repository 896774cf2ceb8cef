"""`trainingrun plan`: say what a run will need before it takes any node.

Rows are measured in a program of the training package, which this one becomes.
"""

from __future__ import annotations

from pathlib import Path

import click

from trainingrun.cli.options import LOCAL_CODE, code_option, file_option, output_option
from trainingrun.cli.trainer_program import become


@click.command("plan")
@file_option
@code_option(LOCAL_CODE)
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
@output_option("How to print the forecast.")
def command(
    file: Path, code: Path | None, sample: int, trainer_rate: float | None, volume: Path | None, output: str
) -> None:
    """Measure some rows on this machine and forecast data nodes, stall, and time of an epoch.

    It does not start Ray, and keeps nothing of what it trains. Ends with 0, or with 12 when the file cannot work, 13
    when the run's own code failed, 14 when this machine or the storage did.
    """
    options = {
        "--code": code,
        "--sample": sample,
        "--output": output,
        "--trainer-rate": trainer_rate,
        "--volume": volume,
    }
    become("local.plan_ahead", file, options, doing="measuring", needs="torch")
