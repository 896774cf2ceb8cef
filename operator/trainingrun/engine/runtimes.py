"""Which runtimes there are, and which runs await one of them. No I/O.

It must not merge anything: `lifecycle.adoption` decides what a run takes from its runtime.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from trainingrun.contract.labels import RUNTIME_KIND
from trainingrun.engine.keys import Key
from trainingrun.observed import RunObject, RuntimeObject
from trainingrun.spec.runtime import reference_of


class _Place(NamedTuple):
    """Where a runtime is found: by its kind, its namespace (none for one of the cluster) and its name."""

    kind: str
    namespace: str
    name: str


class Runtimes:
    """The newest of each runtime, and the runs that wait for it to be created or mended."""

    def __init__(self) -> None:
        self._runtimes: dict[_Place, RuntimeObject] = {}
        self._awaiting: dict[_Place, set[Key]] = defaultdict(set)
        self._places: dict[str, _Place] = {}
        self._woken: set[Key] = set()

    def note_run(self, run: RunObject) -> None:
        """Note a run, which may await a runtime, or do so no more."""
        key = Key(run.namespace, run.name)
        self.forget_run(run.uid, key)
        place = _place_for(run)
        if place is not None:
            self._places[run.uid] = place
            self._awaiting[place].add(key)

    def forget_run(self, run_uid: str, key: Key) -> None:
        """Note that a run is gone."""
        place = self._places.pop(run_uid, None)
        if place is not None:
            self._awaiting[place].discard(key)
            if not self._awaiting[place]:
                del self._awaiting[place]

    def note(self, runtime: RuntimeObject) -> None:
        """Note a runtime as it is now."""
        place = _place_of(runtime)
        if self._runtimes.get(place) != runtime:
            self._runtimes[place] = runtime
            self._wake(place)

    def forget(self, runtime: RuntimeObject) -> None:
        """Note that a runtime is gone. Another one may have its name already."""
        place = _place_of(runtime)
        if place in self._runtimes and self._runtimes[place].uid == runtime.uid:
            del self._runtimes[place]
            self._wake(place)

    def awaited_by(self, run: RunObject) -> RuntimeObject | None:
        """The runtime that the run awaits, if that exists."""
        place = _place_for(run)
        return self._runtimes.get(place) if place is not None else None

    def take_woken(self) -> set[Key]:
        """The runs to look at because of what was noted since this was last asked."""
        woken, self._woken = self._woken, set()
        return woken

    def _wake(self, place: _Place) -> None:
        self._woken |= self._awaiting.get(place, set())


def _place_for(run: RunObject) -> _Place | None:
    reference = reference_of(run.awaiting) if run.awaiting is not None else None
    if reference is None:
        return None
    return _Place(reference.kind, run.namespace if reference.kind == RUNTIME_KIND else "", reference.name)


def _place_of(runtime: RuntimeObject) -> _Place:
    return _Place(runtime.kind, runtime.namespace, runtime.name)
