"""What the operator knows about the cluster: projections by kind, children by the uid of their run. No I/O.

A body is read once and thrown away. An older version never replaces a newer one, whatever the order in which
watches and lists deliver them, and an object that is gone never comes back. Each change is answered with the key of
the run that it matters to, or None when nothing that matters has changed: equality of projections decides.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from trainingrun.contract.labels import RUN_UID_KEY
from trainingrun.engine.hearing import Hearing
from trainingrun.kube.resources import PODS, RAY_CLUSTERS, RAY_JOBS, TRAINING_RUNS
from trainingrun.observed import (
    Observed,
    Pod,
    RayCluster,
    RayJob,
    RunObject,
    pod_of,
    ray_cluster_of,
    ray_job_of,
    run_object_of,
)

Body = Mapping[str, Any]
Child = RayJob | RayCluster | Pod
_READERS: dict[str, Callable[[Body], Child]] = {
    RAY_JOBS.kind: ray_job_of,
    RAY_CLUSTERS.kind: ray_cluster_of,
    PODS.kind: pod_of,
}
# Enough for every deletion whose late events may still be on their way.
_REMEMBERED_DELETIONS = 4096


class Key(NamedTuple):
    """A run, as the queue and the logs name it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class _Entry:
    version: int
    run_uid: str
    value: RunObject | Child


class Cache:
    """The newest projection of every watched object. `reports_since` is what `Observed` says of reports.

    `is_trusted` says whether pods that were given these certificates accept the endpoint's: others cannot report.
    """

    def __init__(self) -> None:
        self.reports_since: datetime | None = None
        self.is_trusted: Callable[[str], bool] = lambda authority: True
        self._entries: dict[str, dict[str, _Entry]] = {kind: {} for kind in (TRAINING_RUNS.kind, *_READERS)}
        self._runs: dict[Key, RunObject] = {}
        self._keys: dict[str, Key] = {}
        self._children: dict[str, dict[str, Child]] = defaultdict(dict)
        self._refusals: dict[str, tuple[str, str]] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._newest: dict[str, int] = defaultdict(int)
        self._hearing = Hearing()

    def put(self, kind: str, body: Body) -> Key | None:
        """Note an object. Returns the key of the run that this matters to, if any."""
        metadata = body["metadata"]
        uid, version = str(metadata["uid"]), version_of(metadata)
        self._newest[kind] = max(version, self._newest[kind])
        if uid in self._gone:
            return None
        old = self._entries[kind].get(uid)
        if old is not None and 0 < version <= old.version:
            return None
        if kind == TRAINING_RUNS.kind:
            before = old.value if old is not None and isinstance(old.value, RunObject) else None
            return self._put_run(uid, version, run_object_of(body, before), old)
        return self._put_child(kind, uid, version, body, old)

    def forget(self, kind: str, body: Body) -> Key | None:
        """Note that an object is gone for good. Returns the key of the run that this matters to."""
        self._newest[kind] = max(version_of(body["metadata"]), self._newest[kind])
        return self.forget_uid(kind, str(body["metadata"]["uid"]))

    def forget_uid(self, kind: str, uid: str) -> Key | None:
        """As `forget`, of an object whose body is not known."""
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED_DELETIONS:
            self._gone.popitem(last=False)
        entry = self._entries[kind].pop(uid, None)
        if entry is None:
            return None
        if kind == TRAINING_RUNS.kind:
            return self._forget_run(uid)
        self._drop_child(entry.run_uid, uid)
        return self._keys.get(entry.run_uid)

    def absent(self, kind: str, namespace: str | None, seen: Iterable[str], version: str) -> list[str]:
        """The uids that a complete list at this version shows to be gone; younger objects are not among them."""
        present, listed = set(seen), version_of({"resourceVersion": version})
        return [
            uid
            for uid, entry in self._entries[kind].items()
            if uid not in present and entry.version <= listed and namespace in (None, entry.value.namespace)
        ]

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
        children = sorted(self._children.get(run_uid, {}).values(), key=lambda child: (child.attempt, child.name))
        return Observed(
            ray_jobs=tuple(child for child in children if isinstance(child, RayJob)),
            ray_clusters=tuple(child for child in children if isinstance(child, RayCluster)),
            pods=tuple(child for child in children if isinstance(child, Pod)),
            refusal=self._refusals.get(run_uid),
            reports_since=self._reports_since(children),
            others_heard=self._hearing.others(run_uid),
        )

    def _reports_since(self, children: Iterable[Child]) -> datetime | None:
        """None also for a run whose pods know only certificates that have been replaced since."""
        given = {child.authority for child in children if isinstance(child, Pod) and child.authority}
        return self.reports_since if all(map(self.is_trusted, given)) else None

    def refuse(self, run_uid: str, refusal: tuple[str, str] | None) -> Key | None:
        """Note that the API server refused what a run needs, or that it no longer does."""
        if self._refusals.get(run_uid) == refusal or run_uid not in self._keys:
            return None
        if refusal is None:
            del self._refusals[run_uid]
        else:
            self._refusals[run_uid] = refusal
        return self._keys.get(run_uid)

    def keys(self) -> Iterator[Key]:
        """The keys of all runs."""
        return iter(self._runs)

    def sizes(self) -> dict[str, int]:
        """The number of objects of each kind."""
        return {kind: len(entries) for kind, entries in self._entries.items()}

    def _put_run(self, uid: str, version: int, run: RunObject, old: _Entry | None) -> Key | None:
        key = Key(run.namespace, run.name)
        other = self._runs.get(key)
        if other is not None and other.uid != uid:
            # Names are free again only when their object is gone: the younger object is the one that exists.
            if version < self._entries[TRAINING_RUNS.kind][other.uid].version:
                return None
            self.forget_uid(TRAINING_RUNS.kind, other.uid)
        self._entries[TRAINING_RUNS.kind][uid] = _Entry(version, uid, run)
        self._runs[key], self._keys[uid] = run, key
        self._hearing.note(run)
        before = old.value if old is not None else None
        if isinstance(before, RunObject) and replace(before, resource_version=run.resource_version) == run:
            return None
        return key

    def _forget_run(self, uid: str) -> Key | None:
        key = self._keys.pop(uid)
        self._refusals.pop(uid, None)
        self._hearing.forget(uid)
        if self._runs[key].uid == uid:
            del self._runs[key]
        return key

    def _put_child(self, kind: str, uid: str, version: int, body: Body, old: _Entry | None) -> Key | None:
        child = _READERS[kind](body)
        run_uid = _run_uid(child, body)
        if old is not None and old.run_uid != run_uid:
            self._drop_child(old.run_uid, uid)
        self._entries[kind][uid] = _Entry(version, run_uid, child)
        if old is not None and old.run_uid == run_uid and old.value == child:
            return None
        self._children[run_uid][uid] = child
        return self._keys.get(run_uid)

    def _drop_child(self, run_uid: str, uid: str) -> None:
        children = self._children[run_uid]
        children.pop(uid, None)
        if not children:
            del self._children[run_uid]


def _run_uid(child: Child, body: Body) -> str:
    """The run that a child belongs to: its controller's uid, or its label's where Ray is its controller."""
    if isinstance(child, RayJob):
        return child.owner_uid or str((body["metadata"].get("labels") or {}).get(RUN_UID_KEY, ""))
    return child.run_uid


def version_of(metadata: Body) -> int:
    """A resource version as a number, 0 for none: they are compared only to tell older from newer of one kind."""
    text = str(metadata.get("resourceVersion", ""))
    return int(text) if text.isascii() and text.isdigit() else 0
