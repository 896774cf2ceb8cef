"""Whatever dies while a run trains, the run goes on from its last checkpoint, and never twice at the same time.

One run suffers everything, in the order of the tests, and is complete in the end.
"""

from __future__ import annotations

import json

import long_run
import pytest
from cluster_client import Cluster
from faults import Faults
from helm_release import OPERATOR_NAMESPACE
from interruptions import miscounted
from namespaces import Namespace
from run_on_cluster import TrainingRun
from timings import Timings

from trainingrun.contract.records import EpochEnded

_EPOCHS = 12

pytestmark = pytest.mark.usefixtures("something_to_lose")


@pytest.fixture(scope="module")
def run(shared_namespace: Namespace) -> TrainingRun:
    return long_run.start(shared_namespace, _EPOCHS, backoffLimit=9)


def test_a_killed_trainer_pod_costs_at_most_the_steps_since_the_checkpoint(
    run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    killed = faults.kill(run.pods("trainer")[0])
    resumption = long_run.wait_for_resumption(run, timings, killed)
    assert resumption.is_seamless, resumption
    assert _attempts(run) == [("Running", 0)]
    assert run.status["failures"] == 0


def test_a_killed_data_pod_costs_at_most_the_steps_since_the_checkpoint(
    run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    pods = run.pods("data")
    killed = faults.kill(*pods)
    long_run.wait_for_more_steps(run, timings, killed)
    assert not long_run.uids(pods) & long_run.uids(run.pods("data"))
    assert all(resumption.is_seamless for resumption in long_run.resumptions_since(run, killed))
    assert _attempts(run) == [("Running", 0)]
    assert run.status["failures"] == 0


def test_a_killed_operator_is_not_missed(cluster: Cluster, run: TrainingRun, faults: Faults, timings: Timings) -> None:
    pods = long_run.uids(run.pods())
    killed = faults.kill(*cluster.list("pods", OPERATOR_NAMESPACE))
    long_run.wait_for_more_steps(run, timings, killed)
    long_run.wait_for_a_report(run, killed)
    timings.mark("told by the next operator")
    assert long_run.uids(run.pods()) == pods
    assert not long_run.resumptions_since(run, killed)
    assert _attempts(run) == [("Running", 0)]


def test_a_killed_head_is_counted_and_training_goes_on(run: TrainingRun, faults: Faults, timings: Timings) -> None:
    killed = faults.kill(*run.pods("head"))
    resumption = long_run.wait_for_resumption(run, timings, killed)
    assert resumption.is_seamless, resumption
    _check_lost_heads(run, before=0)


def test_a_head_whose_ray_dies_in_its_pod_is_counted_too(
    cluster: Cluster, run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    (head,) = run.pods("head")
    before = run.attempts[0]["headRestarts"]
    killed = faults.kill_process(head, "gcs_server")
    resumption = long_run.wait_for_resumption(run, timings, killed)
    assert resumption.is_seamless, resumption
    assert long_run.uids(run.pods("head")) == long_run.uids([head])
    assert _attempts(run) == [("Running", before + 1)]
    assert run.status["failures"] == before + 1
    told = [event["message"] for event in cluster.list("events", run.namespace) if event["reason"] == "HeadLost"]
    assert len(told) >= 2


def test_everything_killed_at_once_costs_at_most_the_steps_since_the_checkpoint(
    cluster: Cluster, run: TrainingRun, faults: Faults, timings: Timings
) -> None:
    before = run.attempts[0]["headRestarts"]
    killed = faults.kill(*run.pods(), *cluster.list("pods", OPERATOR_NAMESPACE))
    resumption = long_run.wait_for_resumption(run, timings, killed)
    assert resumption.is_seamless, resumption
    _check_lost_heads(run, before)


def test_after_all_that_the_run_is_complete_and_every_row_was_trained_once_an_epoch(
    run: TrainingRun, timings: Timings
) -> None:
    run.wait_for("Complete", 1200)
    timings.mark("Complete")
    assert [outcome for outcome, _ in _attempts(run)] == ["Complete"]
    records = run.records()
    ends = [record for record in records if isinstance(record, EpochEnded)]
    assert {record.epoch for record in ends} == set(range(_EPOCHS))
    assert not miscounted(records, long_run.ROWS_PER_EPOCH)
    position = json.loads((max(run.folder.glob("step-*")) / "manifest.json").read_text())["position"]
    assert (position["epoch"], position["rows"]) == (_EPOCHS, _EPOCHS * long_run.ROWS_PER_EPOCH)
    assert ends[-1].metrics["validation_accuracy"] > 0.9
    assert not long_run.attempts_overlap(run)


def _check_lost_heads(run: TrainingRun, before: int) -> None:
    """One head was lost since `before`; two if the kubelet started its container again before the pod was removed."""
    ((outcome, lost),) = _attempts(run)
    assert (outcome, lost - before in (1, 2)) == ("Running", True)
    assert run.status["failures"] == lost


def _attempts(run: TrainingRun) -> list[tuple[str, int]]:
    """How each attempt stands, and how often it has lost its head."""
    return [(attempt["outcome"], attempt["headRestarts"]) for attempt in run.attempts]
