"""A rank's end of the pool: fetches the units of a pass in their order, and says what it has waited for.

Runs in the thread of the rank's RowStream. It must not change the order of rows, nor hold more than it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import ray

from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.pool.tasks import Given, PassKey

# Units that are on their way to this machine before they are wanted.
_AHEAD = 2


class HubRows:
    """The rows of all passes for `rank`, from the pool that `hub` holds."""

    def __init__(self, hub: Any, rank: int):
        self._hub = hub
        self._rank = rank

    def begin(self, key: PassKey, epoch: Epoch, consumed: bytes, ahead: tuple[tuple[PassKey, Epoch], ...]) -> None:
        """Ranks begin with a pass, without the rows that are `consumed`; those `ahead` are likely to follow it."""
        ray.get(self._hub.begin_pass.remote(key, epoch, consumed, ahead))

    def of(self, key: PassKey) -> PassRows:
        """The rows of a pass."""
        return PassRows(self._hub, key, self._rank)


class PassRows:
    """The rows of pass `key` for `rank`; `waited` are seconds by cause, by what a user can do about them.

    Production: there was nothing to fetch. Transfer: it was on its way.
    """

    def __init__(self, hub: Any, key: PassKey, rank: int):
        self.waited = {"Production": 0.0, "Transfer": 0.0}
        self._hub = hub
        self._key = key
        self._rank = rank

    def tables(self) -> Iterator[pa.Table]:
        """The tables, in the pass's order. Raises what has kept the pool from making one, in its place."""
        units: dict[int, Any] = {}
        number = 0
        # Always one question ahead: what comes next is known here as the last of these is used.
        asked = self._ask()
        while True:
            while number not in units:
                given: Given = self._timed("Production", asked)
                units.update(given.units)
                if number not in units and given.error is not None:
                    raise given.error
                if number not in units and given.has_ended:
                    return
                asked = self._ask()
            table = self._fetched(units, number)
            if table is None:
                continue
            number += 1
            yield table

    def _fetched(self, units: dict[int, Any], number: int) -> pa.Table | None:
        """The table of unit `number`, which is taken; None if it is lost and has to be made again."""
        ahead = [units[each] for each in range(number, number + 1 + _AHEAD) if each in units]
        ray.wait(ahead, num_returns=len(ahead), timeout=0)
        try:
            table = self._timed("Transfer", units.pop(number))
        except ray.exceptions.RayError:
            # With its node; if it is the hub that is gone, the next question says so.
            self._hub.lost.remote(self._key, self._rank, number)
            return None
        self._hub.took.remote(self._key, self._rank, number)
        return table

    def _ask(self) -> Any:
        return self._hub.take.remote(self._key, self._rank)

    def _timed(self, cause: str, reference: Any) -> Any:
        began = time.monotonic()
        try:
            return ray.get(reference)
        finally:
            self.waited[cause] += time.monotonic() - began
