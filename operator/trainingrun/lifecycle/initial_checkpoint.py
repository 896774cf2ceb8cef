"""Where the checkpoint lies that a run is to start from: the folder of the run that it names, or a place by itself.

It is found out once, before the first attempt, and remembered in status: the other run may be deleted soon after. What
is in the folder only the training program sees.
"""

from __future__ import annotations

from trainingrun.lifecycle.view import View
from trainingrun.observed import RunObject
from trainingrun.spec.initial_checkpoint import CLAIM_SCHEME
from trainingrun.spec.managing import UNREADABLE_STORAGE
from trainingrun.spec.run import initial_run
from trainingrun.status.trainer_report import folder_uri

_FIELD = "spec.recipe.initialCheckpoint.run"
_INSTEAD = (
    "initialCheckpoint.uri with the folder of its checkpoints, which its status named as outputs.folderURI; a run's "
    "spec cannot be changed, so submit a new one"
)


def named_run(view: View) -> str | None:
    """The name of the run that this one is to start from, while its folder has to be found out."""
    return initial_run(view.spec) if view.recorded.initial_checkpoint is None else None


def initial_location(view: View) -> str | None:
    """What the run starts from, as a URI; None where it starts from the beginning, or that cannot be told yet."""
    initial = view.spec.recipe.initial_checkpoint if view.spec.recipe is not None else None
    if initial is None:
        return None
    if initial.uri is not None:
        return initial.uri
    if view.recorded.initial_checkpoint is not None:
        return view.recorded.initial_checkpoint
    named = view.initial
    return folder_uri(named.spec.storage, named.uid) if named is not None and initial_words(view) is None else None


def initial_words(view: View) -> str | None:
    """Why the run that this one names cannot be started from, in a sentence; None where nothing is in the way."""
    name, named = named_run(view), view.initial
    # Where its own storage is, a run without its runtime cannot know, and it begins with nothing.
    if name is None or view.run.awaiting is not None:
        return None
    if name == view.run.name:
        return f"{_FIELD}: found {name}, which is this run itself; allowed: another run, or {_INSTEAD}."
    if named is None:
        namespace = view.run.namespace
        return f'{_FIELD}: there is no run {name} in namespace "{namespace}"; expected one that exists, or {_INSTEAD}.'
    return _out_of_reach(view, named)


def _out_of_reach(view: View, named: RunObject) -> str | None:
    if named.spec.storage == UNREADABLE_STORAGE and named.awaiting is not None:
        return f"{_FIELD}: found {named.name}, which waits for its runtime; this run begins once that one has it."
    if named.spec.storage == UNREADABLE_STORAGE:
        return f"{_FIELD}: found {named.name}, whose spec.storage cannot be read; allowed: another run."
    uri = folder_uri(named.spec.storage, named.uid)
    claim = view.spec.storage.persistent_volume_claim
    if uri.startswith(CLAIM_SCHEME) and (claim is None or not uri.startswith(f"{CLAIM_SCHEME}{claim.claim_name}/")):
        return (
            f"{_FIELD}: found {named.name}, whose checkpoints are in {uri}, a claim that is not this run's storage; "
            "allowed: a run with the same claim or an object store, or initialCheckpoint.uri with a path below a mount."
        )
    return None
