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
    from trainingrun.spec.documents import LoadedRun, Reading


@click.command()
@files_options
@output_option("How to print the result.")
def command(paths: tuple[str, ...], output: str) -> None:
    """Check files of TrainingRuns and their runtimes without a cluster.

    Each problem is printed with its line and column, the field, what was found and what is allowed.
    A run is checked together with its runtime where that is in one of the files. Documents of other kinds are skipped
    with a note.
    """
    from trainingrun.spec.documents import read_files

    reading = read_files(paths, is_whole=False)
    for note in reading.others:
        click.echo(note, err=True)
    click.echo(_as_json(reading) if output == "json" else _as_text(reading))
    sys.exit(INVALID_FILE if reading.problems else 0)


def _as_text(reading: Reading) -> str:
    runtimes = [f"{found.source}:{found.line}: {found.runtime} is valid" for found in reading.runtimes]
    runs = [f"{found.source}:{found.line}: {_verdict(found)}" for found in reading.runs]
    return "\n".join([*runtimes, *runs, *map(str, reading.problems)])


def _verdict(found: LoadedRun) -> str:
    name = found.run.metadata.name
    if found.unknown is not None:
        return (
            f"{name} is valid as far as it goes: {found.unknown} is in none of the files, so what comes from it, "
            "and whether the two fit together, is not known"
        )
    return f"{name} is valid" if found.runtime is None else f"{name} is valid with {found.runtime}"


def _as_json(reading: Reading) -> str:
    runs = [
        {
            "source": found.source,
            "line": found.line,
            "name": found.run.metadata.name,
            "unknownRuntime": None if found.unknown is None else found.unknown.model_dump(),
        }
        for found in reading.runs
    ]
    runtimes = [
        {"source": found.source, "line": found.line, "kind": found.runtime.kind, "name": found.runtime.name}
        for found in reading.runtimes
    ]
    problems = [dataclasses.asdict(problem) for problem in reading.problems]
    return json.dumps({"valid": not problems, "runs": runs, "runtimes": runtimes, "problems": problems}, indent=2)
