"""`trainingrun suspend`: save a checkpoint and release the run's pods, until `resume`."""

from __future__ import annotations

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name


@click.command("suspend")
@name_argument()
@cluster_options()
def command(target: Target, name: str) -> None:
    """Stop the run NAME after saving a checkpoint and release its pods. `resume` continues from there."""
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.client.change import set_suspend

    program = program_name()
    if in_cluster(target, program, lambda session: set_suspend(session, name, True)):
        click.echo(f"{name} saves a checkpoint and stops. Continue with `{program} resume {name}{target.flags}`.")
    else:
        click.echo(f"{name} is already suspended or being suspended.")
