"""`trainingrun logs`: the logs of an attempt's driver and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name

if TYPE_CHECKING:
    from trainingrun.client.log_following import Following
    from trainingrun.client.session import Session
    from trainingrun.status_page import AttemptView, RunView

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
    from trainingrun.client.outcome import outcome_of
    from trainingrun.status_page import run_view_of

    wanted = groups or _GROUPS
    printer = LinePrinter(labels=wanted != ("driver",), raw=raw)
    following = Following(wanted, attempt, tail, printer)

    async def work(session: Session) -> None:
        view = run_view_of(await session.run(name))
        if follow and outcome_of(view) is None:
            await follow_run(session, name, following)
        else:
            await _print(session, view, following)

    in_cluster(target, program_name(), work)


async def _print(session: Session, view: RunView, following: Following) -> None:
    """Print what there is now, one source after the other."""
    from contextlib import aclosing

    from trainingrun.client.log_source import NotYet, Unavailable
    from trainingrun.client.pod_log import sources_of
    from trainingrun.kube import Transient

    attempt = _attempt(view, following.attempt, session)
    sources = await sources_of(session, view, attempt, following.groups)
    is_read = False
    for source in sources:
        try:
            async with aclosing(source.lines(follow=False, tail=following.tail)) as lines:
                async for line in lines:
                    following.printer.line(source.label, line)
            is_read = True
        except (NotYet, Unavailable, Transient) as error:
            following.printer.note(source.label, str(error))
    if not is_read:
        raise click.ClickException(_nothing(view, attempt))


def _attempt(view: RunView, index: int | None, session: Session) -> AttemptView:
    from trainingrun.client.log_following import attempt_of
    from trainingrun.client.problems import ClusterError

    attempt = attempt_of(view, index)
    if attempt is not None:
        return attempt
    if index is None:
        raise ClusterError(
            f"{view.name} has no attempt yet ({view.state}); {session.caller.command('status', view)} says why."
        )
    known = ", ".join(str(entry.index) for entry in view.attempts) or "none"
    raise ClusterError(f"{view.name} has no attempt {index}; known attempts: {known}.")


def _nothing(view: RunView, attempt: AttemptView) -> str:
    words = f" Its last message: {attempt.message}" if attempt.message else ""
    return (
        f"Attempt {attempt.index} of {view.name} ({attempt.outcome}) has no logs that can be read now. Its pods may be "
        f"gone.{words}"
    )
