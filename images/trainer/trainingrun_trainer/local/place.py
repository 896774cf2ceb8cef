"""Where a run trains: on a cluster that runs already, in the kept one if it fits, or in one of its own.

It says in a line why a kept cluster is not used. What is kept, and by whom, is in `kept`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from trainingrun.history.figures import plural
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.local.kept import client
from trainingrun_trainer.local.kept.client import Found
from trainingrun_trainer.local.kept.folder import private_folder
from trainingrun_trainer.local.kept.installed import installed
from trainingrun_trainer.local.kept.offer import Offer, offer_of
from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.local.process import AnyDriver, Driver
from trainingrun_trainer.local.virtual_cluster import settle_environment, virtual_cluster


class Place:
    """The place of one run. `size` is that of a virtual cluster, None where `address` says which cluster to use.

    `keep_minutes` is for how long a cluster is kept after the run, None where none is asked for; `say` tells the user.
    The environment is already what the cluster's processes are to have.
    """

    def __init__(self, size: Size | None, address: str | None, keep_minutes: int | None, say: Callable[[str], None]):
        settle_environment()
        self._size = size
        self._address = address
        self._keep_minutes = keep_minutes
        self._say = say
        self._found: Found | None = None
        self._offer: Offer | None = None
        if size is not None:
            self._offer = offer_of(size, str(Path.cwd()), sys.executable, installed(), os.environ)
            self._found = self._find(self._offer)

    def start_driver(
        self,
        command: list[str],
        environment: dict[str, str],
        log: Path | None,
        *,
        waits: bool,
        directory: Path | None = None,
    ) -> AnyDriver:
        """A driver: the one that waits in a kept cluster, or a new one."""
        if waits and self._found is not None and self._found.has_driver:
            return self._found.drive(environment, log)
        return Driver(command, environment, log, waits=waits, directory=directory)

    @contextlib.contextmanager
    def cluster(self) -> Iterator[str]:
        """The address of the cluster, which lives as long as the run if it is its own."""
        if self._size is None:
            yield self._address or ""
        elif self._found is not None:
            yield self._found.address
        else:
            count = self._size.data_nodes + self._size.trainer_nodes
            self._say(f"starting Ray's {plural(count, 'node')}, one after the other")
            with virtual_cluster(self._size) as address:
                yield address

    def keep(self) -> None:
        """Keep a cluster for the next run, if that is asked for; the run has ended."""
        if self._keep_minutes is None or self._offer is None:
            return
        seconds = self._keep_minutes * 60.0
        if self._found is not None:
            self._found.keep(seconds)
        elif not client.keep(self._offer, seconds):
            self._say("no cluster is kept: another run uses the one that is")
            return
        self._say(
            f"for {self._keep_minutes} minutes, a cluster is kept for the next run that fits it; "
            "`trainingrun local --stop` ends it"
        )

    def close(self) -> None:
        """Let go of a kept cluster."""
        if self._found is not None:
            self._found.close()

    def _find(self, offer: Offer) -> Found | None:
        if self._keep_minutes is not None:
            private_folder()  # what is wrong with it must be said before training
        try:
            found, why = client.find(offer)
        except InvalidConfiguration as error:
            found, why = None, str(error)
        if found is not None:
            self._say("the kept cluster is used")
        elif why is not None:
            ending = ""
            if self._keep_minutes is not None and why != client.IN_USE:
                client.stop()
                ending = "; it has ended, and makes way for one that fits"
            self._say(f"a cluster of its own is started, since the kept one cannot be used: {why}{ending}")
        return found
