"""Plays scheduler and kubelet on the control plane: pods are bound, get addresses, become ready, and end.

No container runs. What a pod's status says is what a kubelet would say; a test scripts what goes wrong.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from raw_client import AWAY, Object, RawClient, Refused, path_of

# What the double makes of a pod: given the pod, the status to give it; None leaves it pending and unbound.
Behaviour = Callable[[Object], Object]


class KubeletDouble:
    """Serves all namespaces from threads. Every pod becomes ready at once unless its namespace is scripted."""

    def __init__(self, client: RawClient):
        self._client = client
        self._behaviours: dict[str, Behaviour] = {}
        self._held: set[str] = set()
        # Uids of pods that have their status.
        self._served: set[str] = set()
        # A pod has its turn in the same thread always, so that no two work on it at once.
        self._work: list[queue.Queue[Object | None]] = [queue.Queue() for _ in range(2)]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._watch, daemon=True)]
        self._threads += [threading.Thread(target=self._serve, args=(work,), daemon=True) for work in self._work]
        # What the double itself ran into; a test session ends with an error when there is any.
        self.errors: list[str] = []

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop serving. The watch ends with its connection, at the latest when the API server goes."""
        self._stopping.set()
        for work in self._work:
            work.put(None)
        for thread in self._threads[1:]:
            thread.join(10)

    def script(self, namespace: str, behaviour: Behaviour) -> None:
        """From now on new pods of this namespace behave so."""
        self._behaviours[namespace] = behaviour

    def hold_terminating(self, namespace: str) -> None:
        """Pods of this namespace that are deleted stay, as during a grace period, until they are released."""
        self._held.add(namespace)

    def release_terminating(self, namespace: str) -> None:
        """Let go of the pods that were held."""
        self._held.discard(namespace)
        for pod in self._client.list("pods", namespace):
            if "deletionTimestamp" in pod["metadata"]:
                self._take(pod)

    def give(self, pod: Object, status: Object) -> None:
        """Give a pod this status, as its kubelet would."""
        metadata = pod["metadata"]
        self._client.patch("pods", metadata["name"], {"status": status}, metadata["namespace"], "status")

    def _take(self, pod: Object) -> None:
        self._work[hash(pod["metadata"]["uid"]) % len(self._work)].put(pod)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                pods, version = self._client.list_at("pods")
                for pod in pods:
                    self._take(pod)
                for kind, pod in self._client.watch("pods", version):
                    if kind in ("ADDED", "MODIFIED"):
                        self._take(pod)
            except (*AWAY, Refused, ValueError):
                # The API server is being restarted: ask again, from a new list.
                self._stopping.wait(0.2)

    def _serve(self, work: queue.Queue[Object | None]) -> None:
        while (pod := work.get()) is not None:
            try:
                self._handle(pod)
            except Refused as refusal:
                # A pod may be gone, or its namespace be on its way, before its turn comes.
                if refusal.code not in (404, 409) and "being terminated" not in refusal.message:
                    self.errors.append(f"{pod['metadata']['name']}: {refusal}")
            except AWAY:
                # The API server is away; the next list has the pod again.
                self._stopping.wait(0.1)

    def _handle(self, pod: Object) -> None:
        metadata = pod["metadata"]
        namespace, name = metadata["namespace"], metadata["name"]
        if "deletionTimestamp" in metadata:
            if namespace not in self._held:
                self._client.delete("pods", name, namespace, grace=0)
        elif metadata["uid"] not in self._served:
            status = self._behaviours.get(namespace, ready)(pod)
            # It may have been bound just before the API server went away.
            if not _is_unscheduled(status) and not pod["spec"].get("nodeName"):
                target = {"apiVersion": "v1", "kind": "Node", "name": f"node-of-{name}"[:63]}
                binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
                self._client.request("POST", path_of("pods", name, namespace, "binding"), binding)
            self.give(pod, status)
            self._served.add(metadata["uid"])


_addresses = itertools.count(1)


def ready(pod: Object) -> Object:
    """Running and ready, with an address."""
    number = next(_addresses)
    address = f"10.244.{number // 250 % 250}.{number % 250 + 1}"
    running = {"running": {"startedAt": _now()}}
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": _now(),
        "conditions": _conditions("True"),
        "containerStatuses": [_container(entry, running, is_ready=True) for entry in pod["spec"]["containers"]],
    }


def unschedulable(words: str) -> Behaviour:
    """No node takes it, in the scheduler's words."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
    return lambda pod: {"phase": "Pending", "conditions": [{**condition, "lastTransitionTime": _now()}]}


def image_pull_error(words: str, reason: str = "ImagePullBackOff") -> Behaviour:
    """It is on a node that cannot get its image."""
    waiting = {"waiting": {"reason": reason, "message": words}}
    return lambda pod: {
        "phase": "Pending",
        "conditions": _conditions("False"),
        "containerStatuses": [_container(entry, waiting, is_ready=False) for entry in pod["spec"]["containers"]],
    }


def out_of_memory(pod: Object) -> Object:
    """The kernel has killed its first container, which the kubelet has started again."""
    first, *others = pod["status"]["containerStatuses"]
    ended = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "startedAt": _now(), "finishedAt": _now()}}
    return {"containerStatuses": [{**first, "restartCount": 1, "lastState": ended}, *others]}


def disrupted(pod: Object, words: str = "the node is being drained") -> Object:
    """It is to leave its node, as the eviction API says before it deletes a pod."""
    told = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI", "message": words}
    return {"conditions": [*pod["status"]["conditions"], {**told, "lastTransitionTime": _now()}]}


def _conditions(is_ready: str) -> list[Object]:
    states = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": is_ready, "Ready": is_ready}
    return [{"type": kind, "status": status, "lastTransitionTime": _now()} for kind, status in states.items()]


def _container(entry: Object, state: Object, is_ready: bool) -> dict[str, Any]:
    return {
        "name": entry["name"],
        "image": entry["image"],
        "imageID": "",
        "ready": is_ready,
        "restartCount": 0,
        "started": is_ready,
        "state": state,
    }


def _is_unscheduled(status: Object) -> bool:
    return any(entry["type"] == "PodScheduled" and entry["status"] == "False" for entry in status["conditions"])


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
