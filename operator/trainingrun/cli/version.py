"""`trainingrun version`: which version this is, and on what it runs."""

from __future__ import annotations

import platform

import click

from trainingrun import __version__


@click.command("version")
def command() -> None:
    """Print the version of this program, of Python and of the platform. `doctor` has those of a cluster."""
    click.echo(f"trainingrun {__version__} (Python {platform.python_version()}, {platform.platform(terse=True)})")
