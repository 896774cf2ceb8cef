"""`trainingrun resume`: let a suspended run continue from its last checkpoint."""

from __future__ import annotations

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name


@click.command("resume")
@name_argument()
@cluster_options()
def command(target: Target, name: str) -> None:
    """Let the suspended run NAME continue from its last checkpoint."""
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.client.change import set_suspend

    program = program_name()
    if in_cluster(target, program, lambda session: set_suspend(session, name, False)):
        click.echo(
            f"{name} continues from its last checkpoint. Follow it with `{program} status {name}{target.flags}`."
        )
    else:
        click.echo(f"{name} is not suspended.")
