"""What ends a subcommand: the exit codes, and errors that are one sentence with what to do next.

Every subcommand ends with the same codes: 0 done, 1 anything that has no code of its own, 2 wrong usage, 3 the run is
suspended, 4 the cluster could not be reached or refused, 124 timed out, and what a training process ends with:
`trainingrun.contract.exits`. This module must stay quick to import: help loads it.
"""

from __future__ import annotations

import difflib

from trainingrun.contract.exits import Exit
from trainingrun.contract.labels import KIND

RUN_FAILED, RUN_SUSPENDED, CLUSTER_REFUSED, OUT_OF_TIME = 1, 3, 4, 124
INVALID_FILE = int(Exit.INVALID_CONFIG)


class ClusterError(Exception):
    """The cluster could not be reached, or refused. The message is a sentence for the user."""


class NoLogs(ClusterError):
    """There is nothing to read any more, or yet."""


class RunFailed(Exception):
    """A run did not complete. `code` is its exit code, by the table that all commands follow."""

    def __init__(self, code: int, sentence: str):
        self.code = int(code)
        super().__init__(sentence)


def not_found(name: str, namespace: str, names: list[str], listing: str) -> ClusterError:
    """There is no run of this name: suggest similar names, else the command that lists all."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"Run `{listing}` to list all runs."
    return ClusterError(f"There is no {KIND} {name} in namespace {namespace}. {hint}")
