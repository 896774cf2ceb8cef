"""`python -m trainingrun.crd [--check]`, from the root of the repository: write the generated files, or compare them.

Exit status: 0 when all is well, 1 when --check finds a file that is out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from trainingrun.crd.files import stale_files, write_files


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; list the files that are out of date.")
def main(check: bool) -> None:
    """Write the CustomResourceDefinition and the documents that are made from the model, and the chart's copies."""
    root = Path.cwd()
    if not (root / "pyproject.toml").exists():
        raise click.UsageError("this is not the root of the repository: there is no pyproject.toml")
    if not check:
        for path in write_files(root):
            click.echo(f"written: {path}")
        return
    stale = stale_files(root)
    for path in stale:
        click.echo(f"out of date: {path}; run python -m trainingrun.crd", err=True)
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main(prog_name="python -m trainingrun.crd")
