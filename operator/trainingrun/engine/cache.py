"""What the operator knows about the cluster: projections by kind, children by namespace and uid of their run. No I/O.

A body is read once and thrown away. An older version never replaces a newer one, in whatever order they come. An object
that is gone has left the view, by its end or by its labels, and may come back with a newer version. A list replaces
everything of its view in one step. Each change is answered with its run's key, or None when no projection has changed.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from trainingrun.engine.answers import Answers
from trainingrun.engine.folders import Folders
from trainingrun.engine.hearing import Hearing
from trainingrun.engine.keys import Key
from trainingrun.engine.readings import KINDS, Body, Child, Reading, read, version_of
from trainingrun.engine.runtimes import Runtimes
from trainingrun.kube.resources import PODS, TRAINING_RUNS
from trainingrun.observed import Observed, Pod, RayCluster, RayJob, RunObject, RuntimeObject, Sharer
from trainingrun.spec.run import initial_run

# Enough for every deletion whose late events may still be on their way.
_REMEMBERED_DELETIONS = 4096
_FOREVER = float("inf")


class _Owner(NamedTuple):
    """A run, as its children name it: a copy of a child in another namespace is none of its own."""

    namespace: str
    uid: str


@dataclass(frozen=True, slots=True)
class _Entry:
    version: int
    owner: _Owner
    value: RunObject | RuntimeObject | Child


class Cache:
    """The newest projection of every watched object. `reports_since` is what `Observed` says of reports.

    `is_trusted` says whether pods that were given these certificates accept the endpoint's: others cannot report.
    `folders` says which runs share one in storage, `answers` what was answered for a run, `runtimes` who awaits which.
    """

    def __init__(self) -> None:
        self.reports_since: datetime | None = None
        self.is_trusted: Callable[[str], bool] = lambda authority: True
        self._entries: dict[str, dict[str, _Entry]] = {kind: {} for kind in KINDS}
        self._runs: dict[Key, RunObject] = {}
        self._keys: dict[str, Key] = {}
        self._children: dict[_Owner, dict[str, Child]] = defaultdict(dict)
        self._gone: OrderedDict[str, float] = OrderedDict()
        self._newest: dict[str, int] = defaultdict(int)
        self._hearing = Hearing()
        self.answers = Answers()
        self.folders = Folders()
        self.runtimes = Runtimes()

    def read(self, kind: str, body: Body) -> Reading:
        """Read a body, unless there is nothing new in it. The cache stays as it is."""
        uid, version = str(body["metadata"]["uid"]), version_of(body["metadata"])
        old = self._entries[kind].get(uid)
        if old is not None and 0 < version <= old.version:
            return Reading(uid, version)
        return read(kind, body, old.value if old is not None and isinstance(old.value, RunObject) else None)

    def put(self, kind: str, body: Body, *, is_certain: bool = False) -> Key | None:
        """Note an object. Returns the key of the run that this matters to, if any.

        `is_certain`: the API server was asked for it just now, so that it exists even if no watch shows it any more.
        """
        if is_certain:
            self._gone.pop(str(body["metadata"]["uid"]), None)
        return self._note(kind, self.read(kind, body))

    def replace(
        self, kind: str, namespace: str | None, readings: Iterable[Reading], seen: Collection[str], version: str
    ) -> set[Key]:
        """Note a complete list at this version, in one step. Returns the keys of the runs that it matters to.

        Whatever is not `seen` in it is gone, unless it is younger than the list.
        """
        listed = version_of({"resourceVersion": version})
        keys = {self._note(kind, reading) for reading in readings}
        absent = [
            uid
            for uid, entry in self._entries[kind].items()
            if uid not in seen and entry.version <= listed and namespace in (None, entry.value.namespace)
        ]
        keys |= {self.forget_uid(kind, uid, listed) for uid in absent}
        return {key for key in keys if key is not None}

    def forget(self, kind: str, body: Body) -> Key | None:
        """Note that an object has left the view. Returns the key of the run that this matters to."""
        version = version_of(body["metadata"])
        self._newest[kind] = max(version, self._newest[kind])
        return self.forget_uid(kind, str(body["metadata"]["uid"]), version or _FOREVER)

    def forget_uid(self, kind: str, uid: str, version: float = _FOREVER) -> Key | None:
        """As `forget`, of an object whose body is not known: it was gone at this version, or is for good."""
        self._gone[uid] = max(version, self._gone.pop(uid, 0))
        if len(self._gone) > _REMEMBERED_DELETIONS:
            self._gone.popitem(last=False)
        entry = self._entries[kind].get(uid)
        if entry is None or entry.version > version:
            return None
        del self._entries[kind][uid]
        if kind == TRAINING_RUNS.kind:
            return self._forget_run(uid)
        if isinstance(entry.value, RuntimeObject):
            self.runtimes.forget(entry.value)
            return None
        self._drop_child(entry.owner, uid)
        return self._key_of(entry.owner)

    def newest(self, kind: str) -> int:
        """The newest version that was seen of a kind: a list that is older is not what the cluster is now."""
        return self._newest[kind]

    def version(self, kind: str, uid: str) -> str | None:
        """The version at which an object was last seen."""
        entry = self._entries[kind].get(uid)
        return str(entry.version) if entry is not None and entry.version else None

    def run(self, key: Key) -> RunObject | None:
        """The run of this name."""
        return self._runs.get(key)

    def run_by_uid(self, uid: str) -> RunObject | None:
        """The run of this uid."""
        key = self._keys.get(uid)
        return self._runs.get(key) if key else None

    def pod(self, uid: str) -> Pod | None:
        """The pod of this uid."""
        entry = self._entries[PODS.kind].get(uid)
        return entry.value if entry is not None and isinstance(entry.value, Pod) else None

    def observed(self, run_uid: str) -> Observed:
        """Everything of a run, in an order that does not depend on that of events."""
        key = self._keys.get(run_uid)
        known = self._children.get(_Owner(key.namespace, run_uid), {}) if key is not None else {}
        children = sorted(known.values(), key=lambda child: (child.attempt, child.name))
        return Observed(
            ray_jobs=tuple(child for child in children if isinstance(child, RayJob)),
            ray_clusters=tuple(child for child in children if isinstance(child, RayCluster)),
            pods=tuple(child for child in children if isinstance(child, Pod)),
            refusal=self.answers.refusal(run_uid),
            reports_since=self._reports_since(children),
            others_heard=self._hearing.others(run_uid),
            sharers=tuple(map(self._sharer, self.folders.others(run_uid))),
            is_chosen=self.folders.is_chosen(run_uid),
            queue=self.answers.of_queue(run_uid),
            initial=self._runs.get(Key(key.namespace, initial_run(self._runs[key].spec) or "")) if key else None,
            runtime=self.runtimes.awaited_by(self._runs[key]) if key is not None else None,
        )

    def _sharer(self, run_uid: str) -> Sharer:
        run = self._runs[self._keys[run_uid]]
        children = self._children.get(_Owner(run.namespace, run_uid), {}).values()
        is_leaving = any(isinstance(child, Pod) and child.deleting for child in children)
        return Sharer(run, is_chosen=self.folders.is_chosen(run_uid), is_leaving=is_leaving)

    def _reports_since(self, children: Iterable[Child]) -> datetime | None:
        """None also for a run whose pods know only certificates that have been replaced since."""
        given = {child.authority for child in children if isinstance(child, Pod) and child.authority}
        return self.reports_since if all(map(self.is_trusted, given)) else None

    def refuse(self, run_uid: str, refusal: tuple[str, str] | None) -> Key | None:
        """Note that the API server refused what a run needs, or that it no longer does."""
        key = self._keys.get(run_uid)
        return key if key is not None and self.answers.refuse(run_uid, refusal) else None

    def keys(self) -> Iterator[Key]:
        """The keys of all runs."""
        return iter(self._runs)

    def sizes(self) -> dict[str, int]:
        """The number of objects of each kind."""
        return {kind: len(entries) for kind, entries in self._entries.items()}

    def _note(self, kind: str, reading: Reading) -> Key | None:
        uid, version, _, value = reading
        self._newest[kind] = max(version, self._newest[kind])
        old = self._entries[kind].get(uid)
        # It is read and noted in two steps, between which others may have come.
        if value is None or version <= self._gone.get(uid, -1) or (old is not None and 0 < version <= old.version):
            return None
        if isinstance(value, RunObject):
            return self._put_run(uid, version, value, old)
        if isinstance(value, RuntimeObject):
            self._entries[kind][uid] = _Entry(version, _Owner(value.namespace, ""), value)
            self.runtimes.note(value)
            return None
        return self._put_child(kind, reading, value, old)

    def _put_run(self, uid: str, version: int, run: RunObject, old: _Entry | None) -> Key | None:
        key = Key(run.namespace, run.name)
        other = self._runs.get(key)
        if other is not None and other.uid != uid:
            # Names are free again only when their object is gone: the younger object is the one that exists.
            if version < self._entries[TRAINING_RUNS.kind][other.uid].version:
                return None
            self.forget_uid(TRAINING_RUNS.kind, other.uid)
        self._entries[TRAINING_RUNS.kind][uid] = _Entry(version, _Owner(run.namespace, uid), run)
        self._runs[key], self._keys[uid] = run, key
        self._hearing.note(run)
        self.folders.note(run)
        self.runtimes.note_run(run)
        before = old.value if old is not None else None
        if isinstance(before, RunObject) and replace(before, resource_version=run.resource_version) == run:
            return None
        return key

    def _forget_run(self, uid: str) -> Key | None:
        key = self._keys.pop(uid)
        self.answers.forget(uid)
        self._hearing.forget(uid)
        self.folders.forget(uid)
        self.runtimes.forget_run(uid, key)
        if self._runs[key].uid == uid:
            del self._runs[key]
        return key

    def _put_child(self, kind: str, reading: Reading, child: Child, old: _Entry | None) -> Key | None:
        uid, owner = reading.uid, _Owner(child.namespace, reading.run_uid)
        if old is not None and old.owner != owner:
            self._drop_child(old.owner, uid)
        self._entries[kind][uid] = _Entry(reading.version, owner, child)
        if old is not None and old.owner == owner and old.value == child:
            return None
        self._children[owner][uid] = child
        return self._key_of(owner)

    def _drop_child(self, owner: _Owner, uid: str) -> None:
        self._children[owner].pop(uid, None)
        if not self._children[owner]:
            del self._children[owner]

    def _key_of(self, owner: _Owner) -> Key | None:
        key = self._keys.get(owner.uid)
        return key if key is not None and key.namespace == owner.namespace else None
