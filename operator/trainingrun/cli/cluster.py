"""The way of a subcommand to its cluster, and the one place that starts an event loop.

It must be imported only by a command that runs: it loads what speaks HTTP.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from trainingrun.cli.options import Target
from trainingrun.client.problems import CLUSTER_REFUSED, ClusterError
from trainingrun.client.session import Session, connected
from trainingrun.kube import NoCluster

T = TypeVar("T")
_INTERRUPTED = 130


class Refused(click.ClickException):
    """Shown as one line, without a traceback."""

    exit_code = CLUSTER_REFUSED


def in_cluster(target: Target, program: str, work: Callable[[Session], Awaitable[T]]) -> T:
    """Connect, do the work and disconnect. Any problem with the cluster ends the program with one sentence."""
    connection = connected(
        work,
        program,
        kubeconfig=target.kubeconfig,
        context=target.context,
        namespace=target.namespace,
        flags=target.cluster_flags,
        everywhere=target.all_namespaces,
    )
    try:
        return asyncio.run(connection)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except NoCluster as error:
        raise Refused(f"{error}. Choose a cluster with --kubeconfig, $KUBECONFIG or --context.") from error
    except ClusterError as error:
        raise Refused(str(error)) from error
