"""`trainingrun describe`: the page of `status`, and what Kubernetes tells of the run's objects."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name
from trainingrun.cli.output import print_table
from trainingrun.cli.status import page_console, show_page

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.kube import Body

_COLUMNS = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")


@click.command("describe")
@name_argument()
@cluster_options()
def command(target: Target, name: str) -> None:
    """Show the page of the run NAME, as `status` does, then the events of the run, its RayJobs, clusters and pods.

    Kubernetes keeps events for an hour. They need the verb list on events.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.client.run_events import events_of
    from trainingrun.status_page import Caller, run_view_of
    from trainingrun.status_page.overview import event_row

    async def work(session: Session) -> tuple[Body, list[Body]]:
        body = await session.run(name)
        return body, await events_of(session, run_view_of(body))

    program = program_name()
    body, events = in_cluster(target, program, work)
    show_page(page_console(), body, Caller(program, target.cluster_flags))
    click.echo()
    if events:
        now = datetime.now(UTC)
        print_table(_COLUMNS, [event_row(event, now) for event in events])
    else:
        click.echo("There are no events of the last hour.")
