"""What a tracker is told about a run besides its curves: who it is, what it was set to, and how it ended. Pure.

None of it may hold a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from trainingrun.contract.exits import Exit
from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.records import AttemptEnded
from trainingrun.failures.failure import Failure
from trainingrun.failures.policy import action_for
from trainingrun.redaction import redacted
from trainingrun.spec import Run
from trainingrun.spec.run import RunSpec

End = Literal["Finished", "Failed", "Stopped"]

# What every attempt of a run finds the tracker's run by.
IDENTITY_TAG = "trainingrun.uid"


@dataclass(frozen=True)
class Description:
    """A run as trackers show it. `identity` is the same in all attempts; `parameters` and `tags` are text by name."""

    identity: str
    name: str
    parameters: dict[str, str]
    tags: dict[str, str]


def description_of(run: Run, identity: str, location: str) -> Description:
    """The description of `run`, whose folder is at `location`."""
    spec = run.spec
    tags = {
        IDENTITY_TAG: identity,
        "trainingrun.name": run.metadata.name,
        "trainingrun.namespace": run.metadata.namespace or "",
        "trainingrun.image": spec.image,
        "trainingrun.code": f"sha256:{spec.code.sha256}" if spec.code else "",
        "trainingrun.folder": location,
    }
    told = {name: value for name, value in tags.items() if value}
    return Description(identity, run.metadata.name, _parameters(spec), redacted(told))


def end_of(spec: RunSpec, attempt: int, ended: AttemptEnded) -> End | None:
    """How the run has ended with this attempt, counted from 0; None where another one follows, as far as it is known.

    Not known is how many attempts have failed before: only as many as there were can have.
    """
    code = Exit(ended.exit_code)
    if code is Exit.COMPLETE:
        return "Finished"
    if code is Exit.ABORTED:
        return "Stopped"
    failure = FailureClass.of(code.outcome)
    action = "Fail" if failure is None else action_for(spec, Failure(failure, ended.message, ended.exit_code))
    goes_on = action == "Ignore" or (action == "Count" and attempt < spec.backoff_limit)
    return None if goes_on else "Failed"


def _parameters(spec: RunSpec) -> dict[str, str]:
    """The recipe with its defaults, flat: `optimizer.parameters.lr`. Of a command of one's own, its words."""
    if spec.recipe is None:
        return dict(_flat({"command": [*spec.trainer.command, *spec.trainer.args]}))
    return dict(_flat(redacted(spec.recipe.model_dump(mode="json", by_alias=True, exclude_none=True))))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _flat(item, f"{path}.{place}")
    else:
        yield path, str(value)
