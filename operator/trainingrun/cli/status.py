"""`trainingrun status`: one page about one run."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, name_argument, program_name
from trainingrun.cli.output import output_option, print_objects

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from trainingrun.client.session import Session
    from trainingrun.kube import Body
    from trainingrun.status_page import Caller

# Where output is not a terminal there is no width to adapt to.
_PLAIN_WIDTH = 110


@click.command("status")
@name_argument()
@click.option(
    "-w", "--watch", is_flag=True, help="Keep showing the page and update it on every change; Ctrl-C ends it."
)
@output_option()
@cluster_options()
def command(target: Target, name: str, watch: bool, output: str | None) -> None:
    """Show the run NAME on one page: its state and why, progress, attempts, data stall and what to do next."""
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.status_page import Caller

    if watch and output:
        raise click.UsageError("--watch and -o cannot be used together.")
    program = program_name()
    if watch:
        in_cluster(target, program, lambda session: _watch(session, name))
        return
    body = in_cluster(target, program, lambda session: session.run(name))
    if output:
        print_objects([body], output, as_list=False)
    else:
        show_page(page_console(), body, Caller(program, target.cluster_flags))


def page_console() -> Console:
    """The console of pages: as wide as the terminal, or of a fixed width."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=_PLAIN_WIDTH)


def show_page(console: Console, body: Body, caller: Caller) -> None:
    """Print the page of a run."""
    with console.capture() as page:
        console.print(_page(body, caller))
    # Rich fills each line up with spaces, which would be copied and piped along.
    click.echo("\n".join(line.rstrip(" ") for line in page.get().splitlines()), color=True)


def _page(body: Body, caller: Caller) -> RenderableType:
    from trainingrun.status_page import run_view_of
    from trainingrun.status_page.page import status_page

    return status_page(run_view_of(body), datetime.now(UTC), caller)


async def _watch(session: Session, name: str) -> None:
    """Show the page until the run is deleted: on a terminal in place, elsewhere one page after the other."""
    console = page_console()
    if console.is_terminal:
        await _watch_in_place(session, name, console)
        return
    async with aclosing(session.versions(name)) as versions:
        async for body in versions:
            if body is None:
                click.echo(f"{name} was deleted.")
                return
            show_page(console, body, session.caller)
            click.echo()


async def _watch_in_place(session: Session, name: str, console: Console) -> None:
    from rich.live import Live

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        newest: Body | None = None

        async def redraw() -> None:
            # Time passes between changes: ages and the time since the last report grow.
            while True:
                if newest is not None:
                    live.update(_page(newest, session.caller), refresh=True)
                await asyncio.sleep(1.0)

        clock = asyncio.create_task(redraw())
        try:
            async with aclosing(session.versions(name)) as versions:
                async for newest in versions:
                    if newest is None:
                        break
                    live.update(_page(newest, session.caller), refresh=True)
        finally:
            clock.cancel()
    click.echo(f"{name} was deleted.")
