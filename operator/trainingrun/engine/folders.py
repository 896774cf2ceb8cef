"""Which runs have the same folder in storage, and which of them this operator has decided to begin. No I/O.

It must not judge who may train there: `lifecycle.shared_folder` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from trainingrun.observed import RunObject
from trainingrun.spec.managing import UNREADABLE_STORAGE

# Where it lies, and its name.
_Folder = tuple[str, str]


class Folders:
    """Of any number of runs, those of each folder, by their uids."""

    def __init__(self) -> None:
        self._folders: dict[str, _Folder] = {}
        self._uids: dict[_Folder, set[str]] = defaultdict(set)
        self._chosen: set[str] = set()

    def note(self, run: RunObject) -> None:
        """Note a run. What it says of its storage never changes, but may become readable."""
        storage = run.spec.storage
        if storage != UNREADABLE_STORAGE:
            folder = storage.place(run.namespace), storage.folder(run.uid)
            self._drop(run.uid)
            self._folders[run.uid] = folder
            self._uids[folder].add(run.uid)

    def forget(self, run_uid: str) -> None:
        """Note that a run is gone."""
        self._chosen.discard(run_uid)
        self._drop(run_uid)

    def choose(self, run_uid: str) -> None:
        """Note, before anything is awaited, that a run is to begin: its status may say so too late for the others."""
        self._chosen.add(run_uid)

    def is_chosen(self, run_uid: str) -> bool:
        """Whether it was chosen here."""
        return run_uid in self._chosen

    def others(self, run_uid: str) -> Iterator[str]:
        """The uids of the other runs with its folder, in an order that does not depend on that of events."""
        folder = self._folders.get(run_uid)
        if folder is not None and len(uids := self._uids[folder]) > 1:
            yield from sorted(uids - {run_uid})

    def _drop(self, run_uid: str) -> None:
        folder = self._folders.pop(run_uid, None)
        if folder is not None:
            self._uids[folder].discard(run_uid)
            if not self._uids[folder]:
                del self._uids[folder]
