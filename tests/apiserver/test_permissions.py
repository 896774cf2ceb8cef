"""The operator's roles are exactly what it needs: it uses all of them, is refused nothing, and misses each rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from audit_log import granted, requests
from child_process import ChildProcess
from control_plane import ControlPlane
from kubelet_double import KubeletDouble
from limited_operators import Rule, give_rights, rules, take_rights
from operator_process import NAMESPACE, OPERATOR, USER, OperatorProcess
from progress_reports import AUDIENCE, report
from raw_client import Object, RawClient
from ray_dashboard import RayDashboard
from training_runs import TrainingRuns

_STRANGER: Object = yaml.safe_load((Path(__file__).parent / "rayjob.yaml").read_text())
_STRANGER["spec"]["suspend"] = True
# Only a run that trains needs it, and only one that a queue holds back.
_REPORTS = {("tokenreviews", "create")}
_QUEUES = {("workloads", "list")}


def head_token(plane: ControlPlane, runs: TrainingRuns, name: str) -> str:
    """The token that the head of a run reports with."""
    selector = f"trainingrun.dev/group=head,trainingrun.dev/run-name={name}"
    heads = runs.admin.until(lambda: runs.admin.list("pods", runs.namespace, selector), f"the head of {name}")
    return plane.token_of(runs.namespace, "default", [AUDIENCE], heads[0])


def test_every_permission_is_used_and_none_is_missing(
    control_plane: ControlPlane,
    admin: RawClient,
    rights: list[Object],
    operators: Callable[..., OperatorProcess],
    kuberay: ChildProcess,
    kubelet: KubeletDouble,
    runs: TrainingRuns,
) -> None:
    earlier = len(list(requests(control_plane.audit_log, USER)))
    leader, standby = (operators(name, lease_namespace=NAMESPACE) for name in ("leader", "standby"))
    runs.apply("whole")
    runs.apply("held")
    hold(runs, "held")
    with leader.paused():
        runs.apply("namesake")
        admin.create("rayjobs", {**_STRANGER, "metadata": {"name": runs.ray_job("namesake")}}, runs.namespace)
    job = runs.job("whole")
    assert report(standby.progress_url, runs.namespace, "whole", head_token(control_plane, runs, "whole"), 5) == 200
    runs.until("namesake", "PodsReady", "False", "NameConflict")
    runs.until("held", "Admitted", "False", "Preempted")
    job.fail(14, "the node went away")
    runs.job("whole", 1).finish()
    runs.until("whole", "Complete")
    runs.until_gone("rayclusters")
    made = list(requests(control_plane.audit_log, USER))
    assert granted(rights) - {request.permission for request in made} == set()
    here = [request for request in made[earlier:] if request.namespace in ("", runs.namespace, "trainingrun-system")]
    assert [request for request in here if request.code == 403] == []


@pytest.fixture
def limited(
    control_plane: ControlPlane, namespaces: Callable[[], str], operators: Callable[..., OperatorProcess]
) -> Iterator[dict[str, tuple[Rule, OperatorProcess]]]:
    """For each rule an operator that lacks it, in a namespace of its own."""
    found: dict[str, tuple[Rule, OperatorProcess]] = {}
    for rule in rules():
        namespace = namespaces()
        give_rights(control_plane, namespace, without=rule)
        process = operators(
            f"limited-in-{namespace}",
            until_ready=False,
            lease_namespace=namespace,
            serves=[namespace],
            account=(namespace, OPERATOR),
        )
        found[namespace] = rule, process
    yield found
    for namespace in found:
        take_rights(control_plane, namespace)


@pytest.mark.usefixtures("kuberay", "kubelet")
def test_each_rule_that_is_taken_away_is_missed_and_all_is_well_when_it_is_given_back(
    control_plane: ControlPlane,
    admin: RawClient,
    ray_dashboard: RayDashboard,
    limited: dict[str, tuple[Rule, OperatorProcess]],
) -> None:
    for namespace, (rule, _) in limited.items():
        if rule.allows not in (_REPORTS, _QUEUES):
            ray_dashboard.scripts[namespace] = lambda job: job.finish()
        TrainingRuns(admin, ray_dashboard, namespace).apply("subject")
    for namespace, (rule, process) in limited.items():
        runs = TrainingRuns(admin, ray_dashboard, namespace)
        if rule.allows == _REPORTS:
            job = runs.job("subject")
            token = head_token(control_plane, runs, "subject")
            assert report(process.progress_url, namespace, "subject", token, 5) == 503
            job.finish()
        elif rule.allows == _QUEUES:
            hold(runs, "subject")
        missed = partial(refused, control_plane, namespace)
        admin.until(missed, f"the operator misses {rule}")
        assert missed() <= rule.allows
        give_rights(control_plane, namespace)
        if rule.allows == _QUEUES:
            hold(runs, "subject", suspend=False)
            ray_dashboard.scripts[namespace] = lambda job: job.finish()
    for namespace, (_, process) in limited.items():
        TrainingRuns(admin, ray_dashboard, namespace).until("subject", "Complete")
        assert process.running


def hold(runs: TrainingRuns, name: str, *, suspend: bool = True) -> None:
    """Suspend the run's RayJob once it has its pods, as a queue does, or let it go on."""
    if suspend:
        runs.job(name)
        runs.until(name, "Admitted")
    runs.admin.patch("rayjobs", runs.ray_job(name), {"spec": {"suspend": suspend}}, runs.namespace)


def refused(plane: ControlPlane, namespace: str) -> set[tuple[str, str]]:
    """Resources and verbs that the operator of a namespace was refused."""
    user = f"system:serviceaccount:{namespace}:{OPERATOR}"
    return {(each.resource, each.verb) for each in requests(plane.audit_log, user) if each.code == 403}
