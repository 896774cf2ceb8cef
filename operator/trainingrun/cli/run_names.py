"""Completes the names of runs, and never keeps a shell waiting: what takes long or fails has no names.

It must not print: whatever it said would end up in the line that is being typed.
"""

from __future__ import annotations

import asyncio

import click

# A key was pressed; nobody waits longer for what it does.
_SECONDS = 2.0


def run_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The runs of the namespace that the line names so far, or of the context's."""
    from trainingrun.client.problems import ClusterError
    from trainingrun.client.session import Session, connected
    from trainingrun.kube import NoCluster

    async def work(session: Session) -> list[str]:
        return [str(body["metadata"]["name"]) for body in await session.runs()]

    async def names() -> list[str]:
        line = context.params
        connection = connected(
            work,
            "",
            kubeconfig=line.get("kubeconfig"),
            context=line.get("context"),
            namespace=line.get("namespace"),
        )
        return await asyncio.wait_for(connection, _SECONDS)

    try:
        found = asyncio.run(names())
    except (NoCluster, ClusterError, TimeoutError):
        return []
    return [name for name in found if name.startswith(incomplete)]
