"""`trainingrun suspend`: save a checkpoint and give the machines back, until `resume`."""

from __future__ import annotations

import click

from trainingrun.cli.options import Target, cluster_options, program_name


@click.command("suspend")
@click.argument("name")
@cluster_options()
def command(target: Target, name: str) -> None:
    """Stop the run NAME after a checkpoint and give its machines back. `resume` lets it go on from there."""
    from trainingrun.cli.change import set_suspend
    from trainingrun.cli.cluster import in_cluster

    program = program_name()
    if in_cluster(target, program, lambda session: set_suspend(session, name, True)):
        click.echo(f"{name} saves a checkpoint and stops; {program} resume {name}{target.flags} lets it go on.")
    else:
        click.echo(f"{name} is to be suspended already.")
