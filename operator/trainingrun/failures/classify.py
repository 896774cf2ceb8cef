"""The class of a failure, from all evidence that there is: of one tuple of rules, the first that applies decides.

The same tuple judges an attempt that KubeRay says has failed and one that still lives. KubeRay's own reason comes
late: it calls a lost head and a mistake in a program by the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from trainingrun.contract.failure_class import FailureClass
from trainingrun.failures import driver_evidence as driver
from trainingrun.failures import pod_evidence as pods
from trainingrun.failures.evidence import Evidence
from trainingrun.failures.failure import Failure
from trainingrun.failures.policy import action_for
from trainingrun.status.conditions import Reason

When = Literal["Live", "Ended"]


@dataclass(frozen=True)
class Rule:
    """When an attempt is live or has ended, what `find` finds is its failure.

    With `recovers`, KubeRay or Ray goes on by itself after such a failure: a live attempt ends by it only where the
    run's policy says Fail.
    """

    when: When
    find: Callable[[Evidence], Failure | None]
    recovers: bool = False


RULES: tuple[Rule, ...] = (
    # What the driver knows better than any pod: nothing was trained, or a user stopped it.
    Rule("Ended", driver.rejected_by_kuberay),
    Rule("Ended", driver.stopped_by_a_user),
    Rule("Ended", driver.invalid_configuration),
    # What pods tell, which is more exact than the other exit codes.
    Rule("Live", lambda seen: seen.head_end, recovers=True),
    Rule("Ended", lambda seen: pods.first(pods.preempted, seen.pods)),
    Rule("Ended", driver.preempted),
    Rule("Live", lambda seen: pods.first(pods.out_of_memory(seen.spec), pods.trainers(seen.pods)), recovers=True),
    Rule("Ended", lambda seen: pods.first(pods.out_of_memory(seen.spec), seen.pods)),
    Rule("Ended", driver.out_of_memory),
    Rule("Ended", lambda seen: pods.first(pods.evicted, seen.pods)),
    # Once training runs, a pod that joins late must not end it.
    Rule("Live", lambda seen: None if seen.is_training else pods.first(pods.image_never_pulled, seen.pods)),
    Rule("Ended", lambda seen: pods.first(pods.image_not_pulled, seen.pods) if seen.exit_code is None else None),
    Rule("Live", lambda seen: pods.doubled_head(seen.pods)),
    # The run's deadlines.
    Rule("Live", lambda seen: seen.late),
    Rule("Live", lambda seen: seen.silent),
    # How the driver ended, and last of all why KubeRay gave up.
    Rule("Ended", driver.accelerator_fault),
    Rule("Ended", driver.ended_by_exit_code),
    Rule("Ended", driver.not_started_in_time),
    Rule("Ended", driver.given_up_by_kuberay),
    Rule("Ended", driver.stopped_by_somebody),
    Rule("Ended", driver.not_run_by_ray),
)

# What an attempt waits for while it starts is told by the condition PodsReady: its reason, and the class of failure
# that it becomes when the start deadline is over.
_WAITED_FOR: dict[str, FailureClass] = {
    Reason.UNSCHEDULABLE: FailureClass.INFRASTRUCTURE,
    Reason.QUOTA_EXCEEDED: FailureClass.INFRASTRUCTURE,
    Reason.ADMISSION_DENIED: FailureClass.INFRASTRUCTURE,
    Reason.POD_SECURITY_DENIED: FailureClass.INFRASTRUCTURE,
    Reason.CONTAINER_ERROR: FailureClass.INFRASTRUCTURE,
    Reason.IMAGE_PULL: FailureClass.IMAGE_PULL,
    # No other attempt would be rendered to other pods.
    Reason.RENDER_REJECTED: FailureClass.INVALID_CONFIG,
}


def failure_of_ended(seen: Evidence) -> Failure:
    """Why an attempt failed that KubeRay says has failed."""
    found = _first("Ended", seen)
    if found is None:
        raise AssertionError("the last rule applies to every attempt that has ended")
    return replace(found, exit_code=seen.exit_code)


def failure_of_live(seen: Evidence) -> Failure | None:
    """What ends a live attempt although KubeRay would continue it."""
    return _first("Live", seen)


def failure_of_waiting(reason: str, message: str) -> Failure | None:
    """What an attempt fails by that waits for this until its start deadline is over."""
    known = _WAITED_FOR.get(reason)
    return None if known is None else Failure(known, message)


def _first(when: When, seen: Evidence) -> Failure | None:
    for rule in RULES:
        if rule.when == when:
            found = rule.find(seen)
            if found is not None and not (rule.recovers and action_for(seen.spec, found) != "Fail"):
                return found
    return None
