"""`trainingrun validate`: say whether files hold valid TrainingRuns, and where each problem is.

Exit status: 0 when every run is valid, 12 when one is not or there is none.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import files_options, output_option
from trainingrun.client.problems import INVALID_FILE

if TYPE_CHECKING:
    from trainingrun.spec.documents import Reading


@click.command()
@files_options
@output_option("How to print the result.")
def command(paths: tuple[str, ...], output: str) -> None:
    """Check TrainingRun files without a cluster.

    Each problem is printed with its line and column, the field, what was found and what is allowed.
    Documents of other kinds are skipped with a note.
    """
    from trainingrun.spec.documents import read_files

    reading = read_files(paths)
    for note in reading.others:
        click.echo(note, err=True)
    click.echo(_as_json(reading) if output == "json" else _as_text(reading))
    sys.exit(INVALID_FILE if reading.problems else 0)


def _as_text(reading: Reading) -> str:
    valid = [f"{found.source}:{found.line}: {found.run.metadata.name} is valid" for found in reading.runs]
    return "\n".join([*valid, *map(str, reading.problems)])


def _as_json(reading: Reading) -> str:
    runs = [{"source": found.source, "line": found.line, "name": found.run.metadata.name} for found in reading.runs]
    problems = [dataclasses.asdict(problem) for problem in reading.problems]
    return json.dumps({"valid": not problems, "runs": runs, "problems": problems}, indent=2)
