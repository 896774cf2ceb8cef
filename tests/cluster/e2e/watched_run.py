"""The digits sample, watched from its start to its end: what was seen of it is kept, so that tests may come later.

It asserts nothing but that the run ends; what was seen is for tests to judge.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import foreign_reports
import ray_view
from cluster_client import wait_until
from namespaces import Namespace
from ray_view import RayView
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.contract.records import Record

Object = dict[str, Any]

# The pods stay so long after the end: for a look at what Ray did where, and to see that they go afterwards.
_TIME_TO_LIVE = 30
_PATIENCE = 900


@dataclass(frozen=True)
class WatchedRun:
    """What was seen.

    `before` is what was in the namespace, `versions` is each version of the run's object from its first step on, and
    `pods` are its pods while it trained. `page_while_training` and `page` are what `trainingrun status` showed.
    `answers` are those of the operator to reports that it must refuse.
    """

    namespace: Namespace
    run: TrainingRun
    document: Object
    before: set[str]
    pods: list[Object]
    ray: RayView
    versions: list[Object]
    page_while_training: str
    page: str
    answers: dict[str, foreign_reports.Answer]
    records: list[Record]

    @property
    def status(self) -> Object:
        """The last status."""
        status: Object = self.versions[-1]["status"]
        return status

    @property
    def statuses_while_training(self) -> list[Object]:
        """The statuses that had news of training and were not the end, in their order."""
        return [
            version["status"]
            for version in self.versions
            if "trainerStatus" in version["status"] and version["status"]["state"] == "Running"
        ]

    def pod_of(self, address: str) -> Object:
        """The pod that has an address, by which Ray knows its node."""
        return next(pod for pod in self.pods if pod["status"]["podIP"] == address)


def watch(namespace: Namespace, timings: Timings) -> WatchedRun:
    """Apply the sample and stay until it is over."""
    before = namespace.objects()
    document = namespace.document(clusterTTLSecondsAfterFinished={"onSuccess": _TIME_TO_LIVE})
    run = namespace.apply(document)
    run.wait_for_step(1, _PATIENCE)
    timings.mark("first step")
    with _every_version(run, namespace.artifacts) as versions:
        pods = run.pods()
        wait_until(lambda: _has_come_far(run.status), 120, "news of training in the status", run.shown)
        timings.mark("in the status")
        page_while_training = run.page()
        answers = foreign_reports.answers(namespace, run)
        run.wait_until_over(_PATIENCE)
        timings.mark("Complete")
    # Only now, as it takes processors from training.
    ray = ray_view.ask(run)
    return WatchedRun(
        namespace=namespace,
        run=run,
        document=document,
        before=before,
        pods=pods,
        ray=ray,
        versions=versions,
        page_while_training=page_while_training,
        page=run.page(),
        answers=answers,
        records=run.records(),
    )


def _has_come_far(status: Object) -> bool:
    """Whether there is enough to tell how long training will take."""
    return bool(status.get("trainerStatus", {}).get("progressPercentage"))


@contextmanager
def _every_version(run: TrainingRun, folder: Path) -> Iterator[list[Object]]:
    """Follow the run's object; the list is filled when the context ends, and kept as a file."""
    versions: list[Object] = []
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "versions.json"
    kubectl = [str(run.cluster.kubectl), "--kubeconfig", str(run.cluster.kubeconfig)]
    command = [*kubectl, "get", "trainingrun", run.name, f"--namespace={run.namespace}", "--output=json", "--watch"]
    with file.open("w") as output, subprocess.Popen(command, stdout=output) as process:
        try:
            yield versions
        finally:
            process.terminate()
    versions += _objects(file.read_text())
    last = run.read()
    if versions[-1:] != [last]:
        versions.append(last)


def _objects(text: str) -> Iterator[Object]:
    """The JSON objects that follow one another in a text; one that was cut off is left out."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        try:
            found, end = decoder.raw_decode(text)
        except ValueError:
            return
        yield found
        text = text[end:]
