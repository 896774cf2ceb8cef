"""What each condition of a run is to say. Whether that is news, and since when, is not decided here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trainingrun.contract.labels import QUEUE_KEY
from trainingrun.errors import Problem
from trainingrun.lifecycle.attempt import job_of
from trainingrun.lifecycle.attempt_list import AttemptList
from trainingrun.lifecycle.deadlines import hangs_unnoticed
from trainingrun.lifecycle.endings import Verdict
from trainingrun.lifecycle.initial_checkpoint import initial_words
from trainingrun.lifecycle.permission import backs_off
from trainingrun.lifecycle.shared_folder import folder_words, holder_of
from trainingrun.lifecycle.stalls import stall_of
from trainingrun.lifecycle.view import View
from trainingrun.lifecycle.waiting import Words, creation_words, pod_words, pods_counted, queue_words
from trainingrun.status.conditions import ConditionType, Reason
from trainingrun.status.fields import Attempt, State

STALL_LIMIT_PERCENT = 20
_LONGEST_LIST = 16_384


@dataclass(frozen=True)
class Finding:
    """A condition's status, which is unknown when None, with its reason and message."""

    holds: bool | None
    reason: str
    message: str = ""


Findings = dict[ConditionType, Finding]


def final_findings(verdict: Verdict, problems: tuple[Problem, ...]) -> Findings:
    """The conditions of a run that is over."""
    failed = verdict.kind is ConditionType.FAILED
    over = Finding(False, Reason.FINISHED, "The run is over.")
    last = Finding(True, verdict.reason, verdict.message)
    return {
        ConditionType.ACCEPTED: _accepted(problems),
        ConditionType.ADMITTED: over,
        ConditionType.PODS_READY: over,
        ConditionType.DATA_STARVED: over,
        ConditionType.SUSPENDED: over,
        ConditionType.RECONCILING: over,
        ConditionType.STALLED: last if failed else over,
        ConditionType.COMPLETE: over if failed else last,
        ConditionType.FAILED: last if failed else over,
    }


def invalid_findings(problems: tuple[Problem, ...]) -> Findings:
    """The conditions of a run whose spec this operator cannot carry out, and which has nothing under way."""
    accepted = _accepted(problems)
    unknown = Finding(None, Reason.INVALID_SPEC, "The spec is not valid.")
    no = Finding(False, Reason.INVALID_SPEC, "The spec is not valid.")
    return {
        ConditionType.ACCEPTED: accepted,
        ConditionType.ADMITTED: unknown,
        ConditionType.PODS_READY: unknown,
        ConditionType.DATA_STARVED: unknown,
        ConditionType.SUSPENDED: no,
        ConditionType.RECONCILING: no,
        ConditionType.STALLED: Finding(True, accepted.reason, accepted.message),
        ConditionType.COMPLETE: no,
        ConditionType.FAILED: no,
    }


def ongoing_findings(view: View, attempt_list: AttemptList, state: State) -> Findings:
    """The conditions of a run that is not over."""
    admitted, ready = _machines(view, attempt_list, state)
    stall = stall_of(view, attempt_list)
    unfinished = Finding(False, Reason.UNFINISHED, "The run is not over.")
    return {
        ConditionType.ACCEPTED: _without_runtime(view) or _held(view, attempt_list) or _accepted(view.run.problems),
        ConditionType.ADMITTED: admitted,
        ConditionType.PODS_READY: ready,
        ConditionType.DATA_STARVED: _data_starved(view, attempt_list.newest),
        ConditionType.SUSPENDED: _suspended(state),
        ConditionType.RECONCILING: _reconciling(view, attempt_list, state, ready) if stall is None else _stopped(stall),
        ConditionType.STALLED: _stalled(stall),
        ConditionType.COMPLETE: unfinished,
        ConditionType.FAILED: unfinished,
    }


def _accepted(problems: tuple[Problem, ...]) -> Finding:
    if not problems:
        return Finding(True, Reason.VALID, "The spec is valid.")
    return Finding(False, Reason.INVALID_SPEC, _listed(problems))


def _without_runtime(view: View) -> Finding | None:
    missing = view.adoption.missing
    return Finding(False, Reason.RUNTIME_NOT_FOUND, missing) if missing is not None else None


def _held(view: View, attempt_list: AttemptList) -> Finding | None:
    """That a run which is about to begin must not: another one trains in its folder, or what it starts from is away."""
    holder, entry, missing = holder_of(view), attempt_list.newest, initial_words(view)
    if not (entry is None or entry.is_finished):
        return None
    if holder is not None:
        return Finding(False, Reason.FOLDER_IN_USE, folder_words(view, holder))
    return Finding(False, Reason.INITIAL_CHECKPOINT, missing) if missing is not None else None


def _listed(problems: Iterable[Problem]) -> str:
    """Every problem: in full while there is room for that, then by its path."""
    parts, length = [], 0
    for problem in problems:
        part = str(problem) if length < _LONGEST_LIST else problem.path
        parts.append(part)
        length += len(part)
    return "; ".join(parts)


def _machines(view: View, attempt_list: AttemptList, state: State) -> tuple[Finding, Finding]:
    """Admitted and PodsReady."""
    entry = attempt_list.newest
    job = job_of(view, entry) if entry is not None and entry.is_live else None
    if entry is None or job is None:
        words = _absence(view, attempt_list, state)
        reason = words.reason if state == "Suspended" else Reason.NOT_CREATED
        return Finding(False, reason, words.message), Finding(False, words.reason, words.message)
    if not entry.admitted:
        words = queue_words(view, entry, job)
        return Finding(False, words.reason, words.message), Finding(False, words.reason, words.message)
    queue = view.run.labels.get(QUEUE_KEY)
    admitted = (
        Finding(True, Reason.NOT_QUEUED, "The run uses no queue.")
        if queue is None
        else Finding(True, Reason.QUOTA_RESERVED, f'Queue "{queue}" has admitted the run.')
    )
    if pods_counted(view, entry.index).is_complete:
        return admitted, Finding(True, Reason.ALL_PODS_READY, "The head and all workers are ready.")
    words = pod_words(view, entry, job)
    return admitted, Finding(False, words.reason, words.message)


def _absence(view: View, attempt_list: AttemptList, state: State) -> Words:
    """Why no RayJob of a live attempt is there."""
    entry = attempt_list.newest
    if state == "Suspended":
        return Words(Reason.SUSPENDED, "spec.suspend is true; set it to false to continue from the last checkpoint.")
    if state == "Suspending":
        return Words(Reason.SUSPENDING, f"Waiting for {view.children.remains() or 'the attempt'} to end.")
    if view.adoption.missing is not None:
        return Words(Reason.RUNTIME_NOT_FOUND, view.adoption.missing)
    if entry is None or (entry.is_live and entry.ray_job_uid is None):
        reason = Reason.PENDING if state == "Pending" else Reason.RESTARTING
        index = 0 if entry is None else entry.index
        return creation_words(view, index) or Words(reason, _about_to_create(view, index))
    if not entry.is_finished:
        return Words(Reason.RESTARTING, f"RayJob {entry.ray_job_name} cannot be found.")
    return Words(Reason.RESTARTING, _between(view, entry))


def _about_to_create(view: View, attempt: int) -> str:
    remains = view.children.remains()
    return f"Waiting for {remains} to end." if remains else f"Attempt {attempt} is about to be created."


def _between(view: View, entry: Attempt) -> str:
    ended = f"Attempt {entry.index} ended ({entry.failure_class or entry.outcome})"
    remains = view.children.remains()
    if remains:
        return f"{ended}; the next one waits for {remains} to end."
    if entry.retry_time is not None and backs_off(view, entry):
        return f"{ended}; the next one follows at {entry.retry_time:%Y-%m-%d %H:%M:%S} UTC."
    return f"{ended}; the next one follows."


def _data_starved(view: View, entry: Attempt | None) -> Finding:
    stall = view.report.stall_percent
    if stall is None or not view.report.is_of(entry):
        return Finding(None, Reason.NO_REPORT, "The attempt has not reported its data stall yet.")
    limit = f"{STALL_LIMIT_PERCENT} % of the time"
    if stall > STALL_LIMIT_PERCENT:
        why = f". {view.report.data_reason}" if view.report.data_reason else "; see dataStatus.cause."
        return Finding(True, Reason.STALL_ABOVE_LIMIT, f"The trainers wait for data more than {limit}{why}")
    return Finding(False, Reason.STALL_BELOW_LIMIT, f"The trainers wait for data at most {limit}.")


def _suspended(state: State) -> Finding:
    if state == "Suspended":
        return Finding(True, Reason.SUSPENDED, "spec.suspend is true, and all pods are gone.")
    if state == "Suspending":
        return Finding(False, Reason.SUSPENDING, "The attempt saves a checkpoint and ends.")
    return Finding(False, Reason.NOT_SUSPENDED, "Suspension was not requested.")


def _stalled(stall: Words | None) -> Finding:
    if stall is None:
        return Finding(False, Reason.PROGRESSING, "No action is needed.")
    return Finding(True, stall.reason, stall.message)


def _stopped(stall: Words) -> Finding:
    """What does not get on is not in progress, although the operator keeps trying: kstatus has either or."""
    return Finding(False, stall.reason, stall.message)


def _reconciling(view: View, attempt_list: AttemptList, state: State, ready: Finding) -> Finding:
    if state == "Suspended":
        return Finding(False, Reason.SUSPENDED, "spec.suspend is true.")
    reasons = {
        "Queued": Reason.QUEUED,
        "Starting": Reason.STARTING,
        "Running": Reason.TRAINING,
        "Restarting": Reason.RESTARTING,
        "Suspending": Reason.SUSPENDING,
    }
    entry = attempt_list.newest
    if state == "Running" and entry is not None:
        words = f"Attempt {entry.index} is training."
        if hangs_unnoticed(view, entry):
            words += " No report of any run arrives, so that a hang would not be noticed."
        return Finding(True, Reason.TRAINING, words)
    return Finding(True, reasons.get(state, Reason.PENDING), ready.message)
