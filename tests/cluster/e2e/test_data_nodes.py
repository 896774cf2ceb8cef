"""A data group that is too small grows until the trainers no longer wait, and says so.

Rows cost 20 ms of a data CPU and trainers take up to 256 a second, which keeps five of the data CPUs busy: two a node,
so that three nodes are needed. Nothing is validated and little saved, since rows are made in such a pause too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from cluster_client import Cluster, wait_until
from container_tool import find_tool
from namespaces import Namespace
from own_image import IMAGE, load_own_image
from run_on_cluster import TrainingRun

from trainingrun.contract.records import Progress

pytestmark = pytest.mark.extended

_PATIENCE = 1500
_TARGET = 5
_SAME_SECONDS = 60.0
# Every token for the Kubernetes API that a process can read, in its own files and through those of others.
_TOKENS = """
import glob
path = "var/run/secrets/kubernetes.io/serviceaccount/token"
for found in ["/" + path, *glob.glob("/proc/[0-9]*/root/" + path)]:
    try:
        print(found, len(open(found).read()))
    except OSError:
        pass
"""


@dataclass(frozen=True)
class Grown:
    """A run after its end. `statuses` are those of its data that differed in nodes or reason, in their order.

    `tokens` are those that could be read in each container of its head while it trained.
    """

    run: TrainingRun
    statuses: list[dict[str, Any]]
    tokens: dict[str, str]

    def settled(self) -> list[Progress]:
        """Its reports of the last time, long after the group had grown."""
        reports = [record for record in self.run.records() if isinstance(record, Progress) and record.recent_seconds]
        return [report for report in reports if report.time > reports[-1].time - _SAME_SECONDS]


@pytest.fixture(scope="module")
def grown(cluster: Cluster, shared_namespace: Namespace) -> Grown:
    load_own_image(find_tool(cluster.kubeconfig.parent))
    recipe = {
        "dataset": {"validation": None},
        "transform": {"function": "my_training.slow:transform", "kind": "Row"},
        "epochs": 80,
    }
    document = shared_namespace.document(
        image=IMAGE,
        recipe=recipe,
        trainer={"numNodes": 1},
        data={"numNodes": 1, "maxNodes": 4},
        storage={"checkpoints": {"everyEpochs": 80}},
    )
    document["metadata"]["name"] = "data-nodes"
    # Not merged with the sample's, which has parameters.
    document["spec"]["recipe"]["model"] = {"function": "my_training.slow:Model"}
    run, statuses, tokens = shared_namespace.apply(document), [], {}

    def is_over() -> bool:
        if not tokens and run.status.get("state") == "Running":
            tokens.update(_tokens_in(cluster, run.pods("head")[0]))
        data = run.status.get("dataStatus", {})
        told = {name: data.get(name) for name in ("wantedNodes", "readyNodes", "reason", "gainPercentage")}
        if not statuses or told != statuses[-1]:
            statuses.append(told)
        return run.is_true("Complete") or run.is_true("Failed")

    wait_until(is_over, _PATIENCE, "over", run.shown)
    assert run.is_true("Complete"), run.shown()
    return Grown(run, statuses, tokens)


def _tokens_in(cluster: Cluster, pod: dict[str, Any]) -> dict[str, str]:
    place = [pod["metadata"]["name"], f"--namespace={pod['metadata']['namespace']}"]
    names = [container["name"] for container in pod["spec"]["containers"]]
    return {
        name: cluster.run("exec", *place, f"--container={name}", "--", "python", "-c", _TOKENS).stdout for name in names
    }


def test_the_training_program_cannot_get_at_the_autoscalers_token(grown: Grown) -> None:
    assert grown.tokens["autoscaler"]
    assert grown.tokens["ray-head"] == ""


def test_the_group_grows_and_then_stays_as_it_is(grown: Grown) -> None:
    wanted = [told["wantedNodes"] for told in grown.statuses if told["wantedNodes"] is not None]
    assert wanted == sorted(wanted)
    assert wanted[0] == 1 and wanted[-1] in (3, 4)
    assert max(told["readyNodes"] or 0 for told in grown.statuses) == wanted[-1]


def test_the_trainers_no_longer_wait_once_it_has_grown(grown: Grown) -> None:
    reports = grown.settled()
    seconds = sum(report.recent_seconds or 0.0 for report in reports)
    waited = sum(
        (report.recent_seconds or 0.0) * report.recent_stall.total_percent for report in reports if report.recent_stall
    )
    assert waited / seconds < _TARGET


def test_the_status_says_why_and_what_it_has_brought(grown: Grown) -> None:
    reasons = [told["reason"] or "" for told in grown.statuses]
    assert any(reason.startswith("Growing from 1 to 2 data nodes") for reason in reasons), reasons
    # Not the last one, which is of the end: what was made before is all that is left then.
    assert any(f"{grown.statuses[-1]['wantedNodes']} data nodes keep up" in reason for reason in reasons), reasons
    assert grown.statuses[-1]["gainPercentage"] >= 10
