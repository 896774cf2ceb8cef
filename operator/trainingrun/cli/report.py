"""`trainingrun report`: writes the report of a run from its folder. It must not change the run's records."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("report")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the report; default: DIR/report.html.",
)
def command(directory: Path, output: Path | None) -> None:
    """Write the report of the run in DIR, one HTML file that needs no network, and print its path.

    DIR is the run's folder, the one that contains a folder named progress.
    """
    from trainingrun.history import NoRecords
    from trainingrun.report import write_report

    try:
        click.echo(write_report(directory, output))
    except NoRecords as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        where = output or directory
        click.echo(f"Error: {where}: the report cannot be read or written: {error.strerror}", err=True)
        sys.exit(2)
