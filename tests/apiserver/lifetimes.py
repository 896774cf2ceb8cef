"""When each object of a namespace came into being and was gone, in the order of the API server's own history.

Resource versions of one etcd are one sequence, so that "gone before the next was made" needs no clock. It only
looks; what must hold is said by the tests.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from dataclasses import dataclass

from raw_client import AWAY, Object, RawClient, Refused

_ATTEMPT = "trainingrun.dev/attempt"
_RUN_UID = "trainingrun.dev/run-uid"
_KINDS = ("rayjobs", "rayclusters", "pods")


@dataclass
class Lifetime:
    """An object of an attempt. `died` is None while it exists."""

    plural: str
    name: str
    run_uid: str
    attempt: int
    born: int
    died: int | None = None


class Lifetimes:
    """Watches the RayJobs, RayClusters and pods of a namespace from threads, from now until `stop`."""

    def __init__(self, client: RawClient, namespace: str):
        self._client = client
        self._namespace = namespace
        self._stopping = threading.Event()
        self._seen: dict[str, Lifetime] = {}
        # Here and not in the threads, so that what is made next is seen.
        starts = {plural: client.list_at(plural, namespace)[1] for plural in _KINDS}
        self._threads = [
            threading.Thread(target=self._watch, args=(plural, version), daemon=True)
            for plural, version in starts.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more. The threads end with their watches, a few seconds later."""
        self._stopping.set()

    def all(self) -> list[Lifetime]:
        return list(self._seen.values())

    def attempts(self, run_uid: str) -> list[int]:
        """The attempts of a run that ever had an object, in order."""
        return sorted({life.attempt for life in self.all() if life.run_uid == run_uid})

    def overlaps(self) -> list[str]:
        """Every pair of objects of different attempts of one run that existed at the same time, in words."""
        runs: dict[str, list[Lifetime]] = defaultdict(list)
        for life in self.all():
            runs[life.run_uid].append(life)
        return [
            f"{older.plural}/{older.name} (gone at {older.died}) lived when {younger.plural}/{younger.name} was made "
            f"(at {younger.born})"
            for lives in runs.values()
            for older in lives
            for younger in lives
            if older.attempt < younger.attempt and (older.died is None or older.died > younger.born)
        ]

    def _watch(self, plural: str, version: str) -> None:
        while not self._stopping.is_set():
            try:
                for kind, body in self._client.watch(plural, version, self._namespace, seconds=5):
                    if kind == "ERROR":
                        version = self._catch_up(plural, version)
                        break
                    version = body["metadata"]["resourceVersion"]
                    self._note(plural, kind, body, int(version))
            except (*AWAY, Refused, ValueError):
                # The API server is being restarted; the watch goes on where it was.
                self._stopping.wait(0.1)

    def _catch_up(self, plural: str, version: str) -> str:
        """List after a gap: a restarted API server remembers no changes from before.

        What came or went in the gap counts as if it had come late and gone early: it is never blamed wrongly.
        """
        bodies, now = self._client.list_at(plural, self._namespace)
        for body in bodies:
            self._note(plural, "ADDED", body, int(body["metadata"]["resourceVersion"]))
        present = {body["metadata"]["uid"] for body in bodies}
        for uid, life in self._seen.items():
            if life.plural == plural and life.died is None and uid not in present:
                life.died = int(version)
        return now

    def _note(self, plural: str, kind: str, body: Object, version: int) -> None:
        metadata = body["metadata"]
        labels = metadata.get("labels", {})
        if _RUN_UID not in labels:
            return
        life = self._seen.setdefault(
            metadata["uid"],
            Lifetime(plural, metadata["name"], labels[_RUN_UID], int(labels[_ATTEMPT]), born=version),
        )
        if kind == "DELETED":
            life.died = version
