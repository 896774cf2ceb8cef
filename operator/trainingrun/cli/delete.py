"""`trainingrun delete`: remove a run and everything in the cluster that belongs to it. Its storage is kept."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from trainingrun.cli.options import Target, cluster_options, duration, name_argument, program_name

if TYPE_CHECKING:
    from trainingrun.client.session import Session

_POLL_SECONDS = 1.0


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
    from trainingrun.client.problems import OUT_OF_TIME

    if timeout is not None and not waits:
        raise click.UsageError("--timeout needs --wait: without it, the command does not wait.")

    async def work(session: Session) -> bool:
        uids = {name: await _delete(session, name) for name in names}
        try:
            async with asyncio.timeout(timeout):
                for name, uid in uids.items() if waits else ():
                    await _wait_until_gone(session, name, uid)
        except TimeoutError:
            return False
        return True

    if not in_cluster(target, program_name(), work):
        click.echo("Timed out: deleted, but its pods are not gone yet.", err=True)
        sys.exit(OUT_OF_TIME)


async def _delete(session: Session, name: str) -> str:
    from trainingrun.kube import NotFound
    from trainingrun.kube.resources import TRAINING_RUNS

    body = await session.run(name)
    uid = str(body["metadata"]["uid"])
    try:
        await session.api.delete(TRAINING_RUNS, session.namespace, name, uid=uid)
    except NotFound:
        pass  # Someone else was faster; the result is the same.
    click.echo(f"{name} deleted")
    return uid


async def _wait_until_gone(session: Session, name: str, uid: str) -> None:
    """Wait for everything with the run's label: it would block what comes next."""
    is_told = False
    while left := await _left(session, uid):
        if not is_told:
            is_told = True
            click.echo(f"{name}: waiting for {', '.join(left[:5])}{' and more' if len(left) > 5 else ''}", err=True)
        await asyncio.sleep(_POLL_SECONDS)
    click.echo(f"{name}: all its objects are gone")


async def _left(session: Session, uid: str) -> list[str]:
    from trainingrun.kube import NotFound
    from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS
    from trainingrun.naming import run_selector

    left = []
    for resource in (RAY_JOBS, RAY_CLUSTERS, PODS):
        try:
            found = await session.api.list(resource, session.namespace, selector=run_selector(uid))
        except NotFound:
            continue  # KubeRay is not installed, so that there is nothing of it.
        left += [f"{resource.kind} {body['metadata']['name']}" for body in found]
    return left
