"""What a result means and what to change, in one sentence each: the same text for the terminal and the report.

Advice names the field to change. It must not claim a cause that no record states.
"""

from __future__ import annotations

from trainingrun.contract.exits import Exit
from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.records import Stall
from trainingrun.history.figures import count, finite, one_line, percent
from trainingrun.history.run import History

LOW_STALL_PERCENT = 5.0

CAUSE_MEANINGS = {
    "Production": "the data group makes batches too slowly",
    "Transfer": "batches take too long over the network",
    "Collate": "the trainers' own CPUs are busy collating",
}
_CAUSE_REMEDIES = {
    "Production": "raise spec.data.numNodes, let it grow with spec.data.maxNodes, "
    "or make spec.recipe.transform cheaper",
    "Transfer": "send fewer bytes per row (uint8 instead of float32), keep both groups in one zone, "
    "or raise spec.recipe.dataset.prefetchBatches",
    "Collate": "move work from spec.recipe.collate to spec.recipe.transform, which runs on the data nodes, "
    "or raise cpu in spec.trainer.resourcesPerNode",
}
# Where a class has a remedy for Kubernetes only, one that also holds on a single machine.
_OUTCOME_REMEDIES: dict[str, str] = {
    Exit.ABORTED.outcome: "The run was stopped on request; start it again when you want it to go on",
    FailureClass.PREEMPTED: "The run was told to stop, or its nodes were preempted, which needs no change of yours",
    FailureClass.INVALID_CONFIG: FailureClass.INVALID_CONFIG.remedy,
    FailureClass.USER_ERROR: FailureClass.USER_ERROR.remedy,
    FailureClass.INFRASTRUCTURE: "Look for out-of-memory kills and, on a cluster, at the node and the events of the "
    "pods; raise spec.backoffLimit if such losses are usual",
}


def main_cause(stall: Stall) -> str | None:
    """The cause with the largest share; None where no time was lost or no cause was recorded."""
    known = {cause: points for cause, points in stall.causes.items() if (finite(points) or 0.0) > 0}
    return max(known, key=lambda cause: known[cause]) if known else None


def stall_advice(stall: Stall | None) -> str:
    """One sentence on what the data stall means and what to change."""
    total = finite(stall.total_percent) if stall else None
    if stall is None or total is None:
        return "How long training waited for data is unknown: no measurement was recorded."
    waited = f"Training waited for data {percent(total)} of the time"
    if total < LOW_STALL_PERCENT:
        return f"{waited}: the data group keeps up and nothing needs to change."
    steady = finite(stall.steady_percent)
    if steady is not None and steady < LOW_STALL_PERCENT:
        return (
            f"{waited}, nearly all of it for the first batch of each epoch "
            f"({percent(steady)} once data flows), as data were not prepared ahead of them."
        )
    cause = main_cause(stall)
    if cause is None:
        return f"{waited}, and no cause was recorded."
    meaning = CAUSE_MEANINGS.get(cause, f"the main cause is {one_line(cause)}")
    remedy = _CAUSE_REMEDIES.get(cause)
    return f"{waited}, mainly because {meaning}: {remedy}." if remedy else f"{waited}; {meaning}."


def next_step(history: History) -> str | None:
    """What to do now; None where the run is complete and nothing is left to do."""
    ended, resume = history.ended, _resume(history)
    if ended is None:
        return f"No end was recorded: the attempt still runs or was cut off. If it was cut off, {resume}."
    if ended.outcome == Exit.COMPLETE.outcome:
        return None
    remedy = _OUTCOME_REMEDIES.get(ended.outcome)
    if remedy is None:
        return f"This version does not know the outcome {one_line(ended.outcome)}: read the message; {resume}."
    return f"{remedy}." if ended.outcome == FailureClass.INVALID_CONFIG else f"{remedy}; {resume}."


def _resume(history: History) -> str:
    saved, started = history.last_checkpoint, history.started
    if saved:
        return f"the next attempt continues from the checkpoint of step {count(saved.step)}"
    if started and started.resumed_from:
        return f"the next attempt continues from {one_line(started.resumed_from)}"
    initial = one_line(started.initial_checkpoint or "") if started else ""
    return f"no checkpoint was recorded, so the next attempt starts from {initial or 'the beginning'}"
