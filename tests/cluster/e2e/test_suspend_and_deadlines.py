"""A run gives its machines back when it is told to, goes on when it may, and ends when its time is over."""

from __future__ import annotations

from cluster_client import Cluster, wait_until
from namespaces import Namespace
from timings import Timings

from trainingrun.progress import AttemptStarted, CheckpointSaved


def test_a_suspended_run_gives_its_pods_back_and_goes_on_where_it_was(
    cluster: Cluster, namespace: Namespace, timings: Timings
) -> None:
    run = namespace.apply(namespace.document())
    run.wait_for_step(15, 600)
    timings.mark("step 15")
    cluster.run("patch", "trainingrun", run.name, f"--namespace={run.namespace}", "--type=merge", _suspend(True))
    run.wait_for("Suspended", 180)
    timings.mark("Suspended")
    assert not run.pods()
    saved = max(record.step for record in run.records(0) if isinstance(record, CheckpointSaved))
    assert saved >= 15

    cluster.run("patch", "trainingrun", run.name, f"--namespace={run.namespace}", "--type=merge", _suspend(False))
    run.wait_for("Complete", 600)
    timings.mark("Complete")
    started = next(record for record in run.records(1) if isinstance(record, AttemptStarted))
    assert started.first_step == saved
    assert [attempt["outcome"] for attempt in run.attempts] == ["Suspended", "Complete"]
    assert not any(attempt["counted"] for attempt in run.attempts)


def test_a_run_ends_at_its_active_deadline(namespace: Namespace, timings: Timings) -> None:
    ttl = {"onFailure": 0}
    run = namespace.apply(namespace.document(activeDeadlineSeconds=60, clusterTTLSecondsAfterFinished=ttl))
    failed = run.wait_for("Failed", 120)
    timings.mark("Failed")
    assert failed["reason"] == "DeadlineExceeded"
    assert len(run.attempts) == 1
    wait_until(lambda: not run.pods(), 180, "no pod is left", run.shown)
    timings.mark("pods gone")


def _suspend(value: bool) -> str:
    return f'--patch={{"spec": {{"suspend": {str(value).lower()}}}}}'
