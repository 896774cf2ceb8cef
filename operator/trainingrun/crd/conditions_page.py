"""docs/conditions.md: what conditions, reasons and classes of failure mean, from their definitions."""

from __future__ import annotations

from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.pods import HEAD_CONTAINER, WORKER_CONTAINER
from trainingrun.failures.gate import ABSENCE, CONTRADICTION, OTHERS_MAY_SPEAK, THE_CLOCK, WORDS_OF_OTHERS, Proof
from trainingrun.status.conditions import ConditionType, Reason


def _seconds(proof: Proof) -> str:
    return f"{proof.held.total_seconds():.0f} seconds"


_INTRODUCTION = """# Conditions

`python -m trainingrun.crd` writes this page from the operator's own definitions. Every run has all conditions from the
moment the operator first sees it. Programs should read conditions by type and status; `status.state` is for people.

- `kubectl wait --for=condition=Complete` waits for the end of training.
- A failed run has `Failed` and `Stalled`, so that tools that read kstatus (Flux, Helm, kpt) fail at once.
- So has `Stalled` a run that waits for what only a user can change: at once if no retry can help, and after an hour if
  it might heal. It is not over: the operator keeps trying, and `Stalled` ends with its cause.
- While a run is in progress, including in a queue, it has `Reconciling`; with `Stalled` it has not.
- What to check and what to do, reason by reason: [runbook.md](runbook.md).

| Condition | Meaning when true |
|---|---|
"""
_CLASSES = """
## Classes of failure

Each failed attempt has a class in `status.attempts`; the class that ended a run is the reason of `Failed`.
`failurePolicy` decides what follows; where it says nothing, this table applies. `Ignore` retries, `Count` retries as
long as `backoffLimit` allows, `Fail` ends the run.

| Class | Default | Meaning |
|---|---|---|
"""
_PROOF = f"""
## Before an attempt is given up

An end is judged by what is certain: objects of the run's own namespace and uid, pods that the attempt's own RayCluster
made, the containers `{HEAD_CONTAINER}` and `{WORKER_CONTAINER}`, and ends within five minutes of the attempt's.
Sidecars, init containers and copies tell nothing. What may be wrong, may heal or may be outdone by better evidence must
be seen for a while first; until then it is in `status.suspected`, with the time at which it counts.

| What is seen | For at least | Then |
|---|---|---|
| A failure that would end the run | {_seconds(OTHERS_MAY_SPEAK)} | The API server is asked what the pods say now |
| An image that is refused | {_seconds(WORDS_OF_OTHERS)} | The API server is asked whether a pod still waits for it |
| Two heads in one RayCluster | {_seconds(CONTRADICTION)} | The API server is asked whether there are two |
| No RayJob where there should be one | {_seconds(ABSENCE)} | The API server is asked for it by name |
| A deadline that has passed | {_seconds(THE_CLOCK)} | The attempt ends: it was no wrong reading of a clock |

An image name that can never work, a run that KubeRay or the trainer finds to be invalid, and a container out of memory
while training goes on end the run at once. A run that has trained before waits for its image until
`startDeadlineSeconds`, and then tries again.

Exit codes 10 to 14 have [their meaning](training.md#exit-codes) only of the built-in entrypoint, and of scripts that
leave the record of their end, as those with `trainingrun_trainer.script` do. Of any other program they are `UserError`.
SIGTERM and SIGKILL are `Infrastructure`, unless a pod tells of a preemption.
"""
_REASONS = """
## Reasons

The reason says why a condition has its status; the message has the details. Classes of failure are reasons too.

| Reason | Meaning |
|---|---|
"""
_CLASS_WORDS = frozenset(map(str, FailureClass))


def conditions_page() -> str:
    """The whole page."""
    rows = (f"| `{name}` | `{name.default_action}` | {name.description} |\n" for name in FailureClass)
    types = (f"| `{kind}` | {kind.description} |\n" for kind in ConditionType)
    reasons = (f"| `{reason}` | {reason.description} |\n" for reason in Reason if reason not in _CLASS_WORDS)
    return "".join((_INTRODUCTION, *types, _CLASSES, *rows, _PROOF, _REASONS, *reasons))
