"""Takes a run's folder for one driver, keeps it while training lasts, and notices when another has taken it.

A driver that died is told from one that lives by watching its file for a while, on this machine's own clock: it changes
as long as its writer lives. It must not write to a folder that it has not taken.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from trainingrun.spec import Run
from trainingrun_trainer.driver.event_log import next_attempt
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import Failure, StorageUnavailable
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.folder_owner import OWNER_FILE, Owner, read, taken_by, write

RENEW_SECONDS = 10.0
# Of an owner whose file has not changed for so long nobody can be alive: it misses five renewals.
STALE_SECONDS = 60.0
_LOOK_SECONDS = 2.0
_LAST_SECONDS = 15.0


@dataclass(frozen=True)
class Waiting:
    """How to wait for an owner that may be dead: by which clock, until when, and who is told of it."""

    tell: Callable[[str], None]
    is_stopped: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class FolderHold:
    """A folder that is this driver's. `number` is that of its attempt in the folder; without a `fence` it has no owner.

    `lost` is why it is not this driver's any more.
    """

    def __init__(self, storage: RunStorage, number: int, owner: Owner | None = None):
        self.number = number
        self.fence = owner.fence if owner is not None else None
        self.lost: Failure | None = None
        self._storage = storage
        self._owner = owner
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="trainingrun-folder", daemon=True)
        if owner is not None:
            write(storage, _now(owner))
            self._thread.start()

    def renew(self) -> None:
        """Say once more that the owner lives, unless there is another one."""
        self._write_mine(is_gone=False)

    def release(self) -> None:
        """Let others follow at once. A store that is away leaves them to find out by waiting."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_SECONDS)
        with contextlib.suppress(StorageUnavailable):
            self._write_mine(is_gone=True)

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS) and self.lost is None:
            with contextlib.suppress(StorageUnavailable):
                self.renew()

    def _write_mine(self, *, is_gone: bool) -> None:
        if self._owner is None or self.lost is not None:
            return
        found, _ = read(self._storage)
        if found is not None and found.fence != self.fence:
            self.lost = failure_of(taken_by(self._storage, found))
            return
        write(self._storage, _now(dataclasses.replace(self._owner, is_gone=is_gone)))


@contextlib.contextmanager
def folder_held(run: Run, storage: RunStorage, attempt: int | None, waiting: Waiting) -> Iterator[FolderHold]:
    """The run's folder, for one attempt of it: the run's number of it, or None for the next.

    A folder that is named by the run's identity needs no owner, unless it has had one. Raises FolderTaken while another
    run's program lives.
    """
    hold = _taken(run, storage, attempt, waiting)
    try:
        yield hold
    finally:
        hold.release()


def _taken(run: Run, storage: RunStorage, attempt: int | None, waiting: Waiting) -> FolderHold:
    found, text = read(storage)
    if run.spec.storage.run_name is None and not text:
        return FolderHold(storage, attempt if attempt is not None else next_attempt(storage))
    me = _owner(run, storage, attempt)
    if found is not None and (found.uid, found.attempt) == (me.uid, me.attempt) and attempt is not None:
        return FolderHold(storage, found.number, dataclasses.replace(me, number=found.number))
    if not _is_free(storage, me, waiting):
        return FolderHold(storage, next_attempt(storage))  # stopped: nothing will be written
    number = next_attempt(storage)
    return FolderHold(storage, number, dataclasses.replace(me, number=number))


def _is_free(storage: RunStorage, me: Owner, waiting: Waiting) -> bool:
    """Wait until nobody else can be writing. False if a stop is requested meanwhile. Raises FolderTaken."""
    began = since = waiting.clock()
    watched: str | None = None
    while not waiting.is_stopped():
        owner, text = read(storage)
        if not text or (owner is not None and (owner.is_gone or _is_earlier(owner, me))):
            return True
        now = waiting.clock()
        if watched is None:
            waiting.tell(
                f"{storage.location} was last used by {owner or 'an unknown run'}, and {OWNER_FILE} does not say that "
                f"it has ended: waiting until it has been silent for {STALE_SECONDS:g} seconds"
            )
        if text != watched:
            watched, since = text, now
        elif now - since >= STALE_SECONDS:
            return True
        grace = owner.grace_seconds if owner is not None else 0
        # One that is being ended may take so long, and then has to be silent.
        if (owner is not None and owner.uid == me.uid) or now - began >= grace + 2 * STALE_SECONDS:
            raise taken_by(storage, owner)
        waiting.sleep(_LOOK_SECONDS)
    return False


def _is_earlier(owner: Owner, me: Owner) -> bool:
    """Whether the owner was an earlier attempt of this run: no attempt begins before those before it are gone."""
    return owner.uid == me.uid and owner.attempt <= me.attempt


def _owner(run: Run, storage: RunStorage, attempt: int | None) -> Owner:
    # Without Kubernetes, two of one folder on one machine exclude each other by a lock: see local.lock.
    here = f"{socket.gethostname()}:{storage.local_directory or Path.cwd()}"
    return Owner(
        fence=uuid.uuid4().hex,
        number=0,
        uid=run.metadata.uid or here,
        namespace=run.metadata.namespace or "",
        name=run.metadata.name,
        attempt=attempt if attempt is not None else next_attempt(storage),
        grace_seconds=run.spec.termination_grace_period_seconds,
    )


def _now(owner: Owner) -> Owner:
    return dataclasses.replace(owner, renewed=datetime.now(UTC).isoformat())
