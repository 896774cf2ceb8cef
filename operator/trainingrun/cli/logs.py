"""`trainingrun logs`: the logs of an attempt's driver and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name

if TYPE_CHECKING:
    from trainingrun.client.session import Session

# trainingrun.client.log_source.GROUPS, which help must not load.
_GROUPS = ("driver", "head", "data", "trainer")


@click.command("logs")
@name_argument()
@click.option("-f", "--follow", is_flag=True, help="Follow the logs through all attempts until the run has ended.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    type=click.Choice(_GROUPS),
    help="Only these processes; repeatable; default: all.",
)
@click.option("--attempt", type=click.IntRange(min=0), help="Only this attempt; default: the newest one.")
@click.option("--tail", type=click.IntRange(min=1), metavar="LINES", help="Only the last lines of each process.")
@click.option("--raw", is_flag=True, help="Print progress records as raw JSON.")
@cluster_options()
def command(
    target: Target,
    name: str,
    follow: bool,
    groups: tuple[str, ...],
    attempt: int | None,
    tail: int | None,
    raw: bool,
) -> None:
    """Print the logs of the run NAME: of the driver and its workers, and of the pods of each group.

    The driver's log includes what training prints on every node. It is read from Ray itself while its cluster exists,
    which needs the verb get on rayjobs, secrets and services/proxy; the pods' own logs need pods/log.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.client.log_following import Following, follow_run
    from trainingrun.client.log_lines import LinePrinter
    from trainingrun.client.log_reading import attempt_named, read_logs
    from trainingrun.client.outcome import outcome_of
    from trainingrun.client.problems import NoLogs
    from trainingrun.status_page import run_view_of

    wanted = groups or _GROUPS
    printer = LinePrinter(labels=wanted != ("driver",), raw=raw)
    following = Following(wanted, attempt, tail, printer)

    async def work(session: Session) -> None:
        view = run_view_of(await session.run(name))
        if follow and outcome_of(view) is None:
            await follow_run(session, name, following)
        else:
            try:
                await read_logs(session, view, attempt_named(view, attempt, session.caller), following)
            except NoLogs as error:
                raise click.ClickException(str(error)) from error

    in_cluster(target, program_name(), work)
