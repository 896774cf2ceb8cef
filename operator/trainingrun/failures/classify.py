"""The class of a failure, from all evidence that there is: of one tuple of rules, the first that applies decides.

The same tuple judges an attempt that KubeRay says has failed and one that still lives, and says of each kind of
evidence how much of it is proof. KubeRay's own reason comes late: it calls a lost head and a mistake in a program by
the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.labels import RAY_HEAD_VALUE, RAY_TRAINER_VALUE
from trainingrun.failures import driver_evidence as driver
from trainingrun.failures import pod_evidence as pods
from trainingrun.failures.evidence import Evidence
from trainingrun.failures.failure import Failure
from trainingrun.failures.gate import CONTRADICTION, FACT, OTHERS_MAY_SPEAK, THE_CLOCK, WORDS_OF_OTHERS, Found, Proof
from trainingrun.failures.policy import action_for
from trainingrun.observed import Pod
from trainingrun.status.conditions import Reason

When = Literal["Live", "Ended"]


@dataclass(frozen=True)
class Rule:
    """When an attempt is live or has ended, what `find` finds is its failure, once there is `proof` of it.

    With `recovers`, KubeRay or Ray goes on by itself after such a failure: a live attempt ends by it only where the
    run's policy says Fail.
    """

    when: When
    find: Callable[[Evidence], Failure | None]
    proof: Proof = FACT
    recovers: bool = False


def _killed_for_memory(seen: Evidence, *groups: str) -> Failure | None:
    found = pods.of_groups(seen.pods, *groups) if groups else seen.pods
    return pods.first(pods.out_of_memory(seen.spec, seen.moment), found)


RULES: tuple[Rule, ...] = (
    # What the driver knows better than any pod: nothing was trained, or a user stopped it.
    Rule("Ended", driver.rejected_by_kuberay),
    Rule("Ended", driver.stopped_by_a_user),
    Rule("Ended", driver.invalid_configuration),
    # What pods tell, which is more exact than the other exit codes.
    Rule("Live", lambda seen: seen.head_end, recovers=True),
    Rule("Ended", lambda seen: pods.first(pods.preempted, seen.pods)),
    Rule("Ended", driver.preempted),
    Rule("Live", lambda seen: _killed_for_memory(seen, RAY_TRAINER_VALUE), recovers=True),
    Rule("Ended", lambda seen: _killed_for_memory(seen, RAY_HEAD_VALUE, RAY_TRAINER_VALUE), OTHERS_MAY_SPEAK),
    Rule("Ended", driver.out_of_memory, OTHERS_MAY_SPEAK),
    # Ray repeats elsewhere what a data pod had in hand, so that the driver knows better why it ended.
    Rule("Ended", lambda seen: _killed_for_memory(seen) if seen.exit_code is None else None, OTHERS_MAY_SPEAK),
    Rule("Ended", lambda seen: pods.first(pods.evicted, seen.pods), OTHERS_MAY_SPEAK),
    # The run's deadlines, and images. An image that one attempt has trained with is only out of reach for a while, and
    # the start deadline is for that.
    Rule("Live", lambda seen: seen.late, THE_CLOCK),
    Rule("Live", lambda seen: None if seen.has_trained else pods.first(pods.image_impossible, seen.pods)),
    Rule(
        "Live",
        lambda seen: None if seen.has_trained else pods.first(pods.image_refused(seen.suspected), seen.pods),
        WORDS_OF_OTHERS,
    ),
    # As with images: code that one attempt has trained with was good, and what is wrong with it since may be put right.
    Rule("Live", lambda seen: None if seen.has_trained else pods.first(pods.code_unusable, seen.pods)),
    Rule("Live", lambda seen: pods.doubled_head(seen.pods), CONTRADICTION),
    Rule("Live", lambda seen: seen.silent, THE_CLOCK),
    # What an earlier look found of its end: the pods that showed it may be gone by now.
    Rule("Ended", lambda seen: seen.suspected, OTHERS_MAY_SPEAK),
    # How the driver ended, and last of all why KubeRay gave up.
    Rule("Ended", driver.accelerator_fault, OTHERS_MAY_SPEAK),
    Rule("Ended", driver.ended_by_exit_code, OTHERS_MAY_SPEAK),
    Rule("Ended", driver.not_started_in_time, OTHERS_MAY_SPEAK),
    Rule("Ended", driver.given_up_by_kuberay, OTHERS_MAY_SPEAK),
    Rule("Ended", driver.stopped_by_somebody, OTHERS_MAY_SPEAK),
    Rule("Ended", driver.not_run_by_ray, OTHERS_MAY_SPEAK),
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


def failure_of_ended(seen: Evidence) -> Found:
    """Why an attempt failed that KubeRay says has failed."""
    found = _first("Ended", seen)
    if found is None:
        raise AssertionError("the last rule applies to every attempt that has ended")
    return replace(found, failure=replace(found.failure, exit_code=seen.exit_code), has_ended=True)


def failure_of_gone(end: Failure, seen_pods: Sequence[Pod]) -> Found:
    """Why an attempt failed whose RayJob went soon after its end had been seen: its pods may speak all the same."""
    taken = pods.first(pods.preempted, seen_pods)
    return Found(end if taken is None else taken, OTHERS_MAY_SPEAK, has_ended=True)


def failure_of_live(seen: Evidence) -> Found | None:
    """What ends a live attempt although KubeRay would continue it."""
    return _first("Live", seen)


def failure_of_waiting(reason: str, message: str) -> Failure | None:
    """What an attempt fails by that waits for this until its start deadline is over."""
    known = _WAITED_FOR.get(reason)
    return None if known is None else Failure(known, message)


def _first(when: When, seen: Evidence) -> Found | None:
    for rule in RULES:
        if rule.when == when:
            failure = rule.find(seen)
            if failure is not None and not (rule.recovers and action_for(seen.spec, failure) != "Fail"):
                return Found(failure, rule.proof)
    return None
