"""`trainingrun logs`: the logs of an attempt's driver and pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from trainingrun.cli.copying import ids_option
from trainingrun.cli.options import Target, cluster_options, name_argument, program_name

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.status_page.view import AttemptView, RunView

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
@ids_option
@cluster_options()
def command(
    target: Target,
    name: str,
    follow: bool,
    groups: tuple[str, ...],
    attempt: int | None,
    tail: int | None,
    raw: bool,
    fixed_ids: bool,
) -> None:
    """Print the logs of the run NAME: of the driver and its workers, and of the pods of each group.

    The driver's log includes what training prints on every node. It is read from Ray itself while its cluster exists,
    which needs the verb get on rayjobs, secrets and services/proxy; the pods' own logs need pods/log. When the pods are
    gone, the driver's last mebibyte is read from the run's folder; on a claim, by a short-lived pod as for `download`.
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
            meant = attempt_named(view, attempt, session.caller)
            try:
                await read_logs(session, view, meant, following)
            except NoLogs as error:
                kept = await _kept(session, view, meant, fixed_ids) if "driver" in wanted else []
                if not kept:
                    raise click.ClickException(str(error)) from error
                for line in kept[-tail:] if tail else kept:
                    printer.line("driver", line)

    in_cluster(target, program_name(), work)


async def _kept(session: Session, view: RunView, attempt: AttemptView, fixed_ids: bool) -> list[str]:
    """The lines that the attempt's driver has left in the run's folder; none where it has not."""
    from trainingrun.cli.copying import places, tell
    from trainingrun.contract.kept_logs import FOLDER, driver_log_name
    from trainingrun.transfer.locations import location_of
    from trainingrun.transfer.pod import image_of
    from trainingrun.transfer.retrying import Patience

    if not view.folder:
        return []
    run, name, patience = await session.run(view.name), driver_log_name(view.uid, attempt.index), Patience(tell)
    async with places(session, image_of(run), read_only=True, fixed_ids=fixed_ids, run=run) as opened:
        place = await opened.open(location_of(f"{view.folder}/{FOLDER}"))

        async def read() -> bytes:
            if name not in (await place.sizes() or {}):
                return b""
            return b"".join([piece async for piece in place.read([(name, 0)]) if isinstance(piece, bytes)])

        return (await patience.insist(read)).decode(errors="replace").splitlines()
