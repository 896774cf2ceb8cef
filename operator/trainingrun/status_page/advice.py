"""What a run's state means, and what its owner can do: a sentence or two each.

The reasons are the operator's own messages, from conditions; this module speaks only where the status has none.
Advice names a command or a field. It must not promise what the operator does not do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.labels import RUN_NAME_KEY
from trainingrun.history.figures import duration, plural
from trainingrun.status_page.view import RunView, SuspicionView

# A new run is seen within seconds; after this long its operator is worth checking.
_UNSEEN_SECONDS = 30.0

# The operator's pods carry this label in manifests/ and in the chart.
_OPERATOR_NAME = "trainingrun-operator"

# A spec cannot be changed, and storage is kept by the identity of a run, unless it names its folder.
_ANEW = "A run's spec cannot be changed: submit the corrected file under a different name."

# Which conditions say why a run is in a state; the first that has a message is used.
_SPEAKERS = {
    "Pending": ("Accepted", "Reconciling"),
    "Queued": ("Admitted", "Reconciling"),
    "Starting": ("PodsReady", "Reconciling"),
    "Running": ("Reconciling", "PodsReady"),
    "Restarting": ("Reconciling", "PodsReady"),
    "Suspending": ("Suspended", "Reconciling"),
    "Suspended": ("Suspended",),
    "Complete": ("Complete",),
    "Failed": ("Failed", "Stalled"),
    "Invalid": ("Accepted", "Stalled"),
}

# The scheduler's words; no node will do until the claim is there.
_MISSING_CLAIM = re.compile(r'persistentvolumeclaim "([^"]+)" not found')

# By the reason of a condition that says what a run waits for; these too are in docs/runbook.md.
REMEDIES = {
    "RuntimeNotFound": "The run needs a runtime that the operator cannot see: correct its name and kind in "
    "spec.runtimeRef, under a different name of the run, or create the runtime.",
    "Unschedulable": "No node fits a pod: free up or add a node, request less in resourcesPerNode, or choose other "
    "nodes in podTemplatePatches.",
    "ImagePull": "The image cannot be pulled: check spec.image and spec.imagePullSecrets.",
    "ContainerError": "A container cannot start: check the image, the Secrets and the volume that the message names.",
    "RayUnavailable": "Check whether KubeRay is installed and its operator is running.",
    "QuotaExceeded": "A quota in the namespace refuses pods: `{quotas}` shows what is used.",
    "PodSecurityDenied": "The namespace's Pod Security level refuses the pods: ask its owner which level it has.",
    "AdmissionDenied": "An admission policy or webhook refuses what the run needs: ask the owner of the one that the "
    "message names.",
    "PermissionDenied": "The operator lacks a right: reinstall its roles, with the chart or from manifests/base/rbac.",
    "RenderRejected": "The API server does not accept the RayJob: check that KubeRay and its definitions are 1.6 or "
    "newer.",
    "Refused": "The message says what the API server refuses; once the cause is gone, the run continues within "
    "5 minutes.",
    "NameConflict": "Another RayJob has the name that this run needs: rename one of the two.",
}


@dataclass(frozen=True)
class Caller:
    """How the user called: `program`, and the `flags` that choose the cluster, which every shown command repeats."""

    program: str
    flags: str = ""

    def command(self, verb: str, view: RunView) -> str:
        """The subcommand about this run."""
        return f"{self.program} {verb} {view.name} -n {view.namespace}{self.flags}"

    def kubectl(self, words: str) -> str:
        """The command of kubectl."""
        return f"kubectl {words}{self.flags}"


def reason_of(view: RunView, now: datetime) -> str:
    """Why the run is in its state."""
    if view.deleting:
        return "It is being deleted; its pods save a checkpoint before they end."
    if not view.is_seen:
        return _unseen(view, now)
    for name in _SPEAKERS.get(view.state, ("Reconciling",)):
        condition = view.condition(name)
        if condition and condition.words:
            return condition.words
    return "The operator gave no reason."


def suspicion_words(suspected: SuspicionView, now: datetime) -> str:
    """What may have ended the attempt, or the run, since when that is seen, and what will prove it."""
    what = f"{suspected.failure_class} of attempt {suspected.attempt}" if suspected.attempt >= 0 else ""
    where = " on ".join(filter(None, (suspected.pod and f"pod {suspected.pod}", suspected.node)))
    words = [f"{what or suspected.failure_class}{f', {where}' if where else ''}"]
    if suspected.message:
        words[0] += f": {suspected.message.rstrip('.')}"
    if suspected.since is not None:
        words.append(f"Seen for {duration(max(0.0, (now - suspected.since).total_seconds()))}")
    if suspected.until is not None:
        words.append(f"It counts if it is still seen at {suspected.until:%Y-%m-%d %H:%M:%S} UTC")
    return ". ".join(words) + "."


def _unseen(view: RunView, now: datetime) -> str:
    if view.conditions:
        return "The operator has not seen the last change yet."
    if not _is_unseen_for_long(view, now):
        return "The operator has not seen it yet."
    return f"The operator has not seen it for {duration(_waited(view, now))}: it may not be running."


def _is_unseen_for_long(view: RunView, now: datetime) -> bool:
    return not view.is_seen and not view.conditions and _waited(view, now) > _UNSEEN_SECONDS


def _waited(view: RunView, now: datetime) -> float:
    return (now - view.created).total_seconds() if view.created else 0.0


def next_steps(view: RunView, now: datetime, caller: Caller) -> list[str]:
    """What the run's owner can do now, the most useful first; empty if there is nothing to do."""
    if view.deleting:
        return []
    if _is_unseen_for_long(view, now):
        pods = caller.kubectl(f"get pods -A -l app.kubernetes.io/name={_OPERATOR_NAME}")
        return [f"Check the operator's pods: {pods}"]
    advise = _ADVICE.get(view.state)
    return advise(view, caller) if advise else []


def _pending(view: RunView, caller: Caller) -> list[str]:
    return _remedies(view, caller)


def _queued(view: RunView, caller: Caller) -> list[str]:
    queue = f"queue {view.queue}" if view.queue else "its queue"
    return [
        f"`{caller.kubectl(f'get workloads -n {view.namespace}')}` shows what waits in {queue}.",
        "It starts by itself once there is room.",
    ]


def _starting(view: RunView, caller: Caller) -> list[str]:
    pods = caller.kubectl(f"get pods -n {view.namespace} -l {RUN_NAME_KEY}={view.name}")
    return [*_remedies(view, caller), f"`{pods}` shows its pods."]


def _remedies(view: RunView, caller: Caller) -> list[str]:
    reasons = dict.fromkeys(condition.reason for condition in view.conditions.values())
    quotas = caller.kubectl(f"describe resourcequota -n {view.namespace}")
    claim = _missing_claim(view, caller)
    remedies = {**REMEDIES, **({"Unschedulable": claim} if claim else {})}
    return [remedies[reason].format(quotas=quotas) for reason in reasons if reason in remedies]


def _missing_claim(view: RunView, caller: Caller) -> str:
    found = next(filter(None, (_MISSING_CLAIM.search(held.message) for held in view.conditions.values())), None)
    if found is None:
        return ""
    claims = caller.kubectl(f"get pvc -n {view.namespace}")
    return f"Create the PersistentVolumeClaim {found[1]}, or name one that `{claims}` lists. {_ANEW}"


def _running(view: RunView, caller: Caller) -> list[str]:
    return [f"Follow it with `{caller.command('logs', view)} -f`."]


def _restarting(view: RunView, caller: Caller) -> list[str]:
    used = (
        f" {plural(view.failures, 'failure')} so far, of {view.backoff_limit} that are retried."
        if view.failures
        else ""
    )
    return [*_remedies(view, caller), f"{_continues(view)}{used}"]


def _suspended(view: RunView, caller: Caller) -> list[str]:
    return [f"Continue with `{caller.command('resume', view)}`. {_continues(view)}"]


def _complete(view: RunView, caller: Caller) -> list[str]:
    if view.last is None or not view.has_recipe:
        return _download(view, caller)
    start = f"`spec.recipe.initialCheckpoint: {{run: {view.name}}}`"
    return [*_download(view, caller), f"Another run starts from it with {start}."]


def _failed(view: RunView, caller: Caller) -> list[str]:
    attempt, failure = view.attempt, view.condition("Failed")
    classes = (failure.reason if failure else "", attempt.failure_class if attempt else "")
    known = next(filter(None, map(FailureClass.of, classes)), None)
    remedy = known.remedy if known is not None else "Read the message of the last attempt"
    logs = f"`{caller.command('logs', view)}` shows more while its pods exist." if attempt else ""
    return [f"{remedy}.", *filter(None, [logs]), f"{_ANEW}{_goes_on(view)}", *_download(view, caller)]


def _download(view: RunView, caller: Caller) -> list[str]:
    """How to get the result, if there is any."""
    command = caller.command("download", view)
    last = [f"`{command}` fetches the newest checkpoint."] if view.last else []
    best = [f"`{command} --best` fetches the best checkpoint's state."] if view.best else []
    return [*best, *last]


def _goes_on(view: RunView) -> str:
    """How a new run continues from this one's checkpoints, if it has any."""
    folder = view.folder.rpartition("/")[2]
    if not folder or view.last is None:
        return ""
    if view.has_recipe:
        return f" With `spec.recipe.initialCheckpoint: {{run: {view.name}, what: All}}` it goes on from its checkpoint."
    return f" With `spec.storage.runName: {folder}` it goes on from this run's checkpoints."


def _invalid(view: RunView, caller: Caller) -> list[str]:
    return [f"Correct the fields named above; `{caller.program} validate` checks a file.", _ANEW]


def _continues(view: RunView) -> str:
    if view.last is not None:
        return f"The next attempt continues from {view.last.uri}."
    return "No checkpoint has been reported, so the next attempt may start from the beginning."


_ADVICE = {
    "Pending": _pending,
    "Queued": _queued,
    "Starting": _starting,
    "Running": _running,
    "Restarting": _restarting,
    "Suspended": _suspended,
    "Complete": _complete,
    "Failed": _failed,
    "Invalid": _invalid,
}
