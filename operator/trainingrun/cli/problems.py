"""What ends a subcommand: the exit codes, and errors that are one sentence with what to do next.

Every subcommand ends with the same codes: 0 done, 1 the run that was waited for failed, 2 wrong usage or an invalid
file, 3 the run is suspended, 4 the cluster could not be reached or refused, 124 timed out. This module must stay
quick to import: help loads it.
"""

from __future__ import annotations

import difflib

import click

from trainingrun.contract.labels import KIND

RUN_FAILED, INVALID_FILE, RUN_SUSPENDED, CLUSTER_REFUSED, OUT_OF_TIME = 1, 2, 3, 4, 124


class ClusterError(click.ClickException):
    """Shown as one line, without a traceback."""

    exit_code = CLUSTER_REFUSED


def not_found(name: str, namespace: str, names: list[str], listing: str) -> ClusterError:
    """There is no run of this name: suggest similar names, else the command that lists all."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Run `{listing}` to list all runs."
    return ClusterError(f"There is no {KIND} {name} in namespace {namespace}. {hint}")
