"""`trainingrun delete`: remove a run and everything in the cluster that belongs to it. Its storage is kept."""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, duration, name_argument, program_name

if TYPE_CHECKING:
    from trainingrun.client.session import Session


@click.command("delete")
@name_argument(many=True)
@click.option("--wait", "waits", is_flag=True, help="Return only when its RayJobs, Ray clusters and pods are gone too.")
@click.option(
    "--timeout", callback=duration, metavar="TIME", help="With --wait: give up after this time, such as 90s or 5m."
)
@cluster_options()
def command(target: Target, names: tuple[str, ...], waits: bool, timeout: float | None) -> None:
    """Delete runs. A run that is training saves a checkpoint first; its storage is kept.

    The exit code is 124 when --timeout expires before everything is gone.
    """
    from trainingrun.cli.cluster import in_cluster
    from trainingrun.client.deletion import delete_run, wait_until_gone
    from trainingrun.client.problems import OUT_OF_TIME

    if timeout is not None and not waits:
        raise click.UsageError("--timeout needs --wait: without it, the command does not wait.")

    async def delete(session: Session, name: str) -> str:
        uid = await delete_run(session, name)
        click.echo(f"{name} deleted")
        return uid

    async def work(session: Session) -> bool:
        uids = {name: await delete(session, name) for name in names}
        try:
            async with asyncio.timeout(timeout):
                for name, uid in uids.items() if waits else ():
                    await wait_until_gone(session, uid, functools.partial(_tell, name))
                    click.echo(f"{name}: all its objects are gone")
        except TimeoutError:
            return False
        return True

    if not in_cluster(target, program_name(), work):
        click.echo("Timed out: deleted, but its pods are not gone yet.", err=True)
        sys.exit(OUT_OF_TIME)


def _tell(name: str, left: list[str]) -> None:
    click.echo(f"{name}: waiting for {', '.join(left[:5])}{' and more' if len(left) > 5 else ''}", err=True)
