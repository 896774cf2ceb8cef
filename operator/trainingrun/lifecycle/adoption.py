"""What a run takes from its runtime, once: the snapshot that its status keeps from then on.

A run without the snapshot is not begun. Only a runtime with which the run is valid is taken, so that a mistake in it
can still be mended; after that, nothing that becomes of the runtime matters to the run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trainingrun.contract.labels import RUNTIME_KIND
from trainingrun.errors import Problem
from trainingrun.observed import RunObject, RuntimeObject, problems_with
from trainingrun.spec.runtime import RUNTIME_PATH, reference_of
from trainingrun.status.fields import RuntimeSnapshot


@dataclass(frozen=True)
class Adoption:
    """The run as it stands with what is known of its runtime.

    `missing` says which runtime it waits for, `snapshot` is what is to be recorded of one that has been found.
    """

    run: RunObject
    missing: str | None = None
    snapshot: RuntimeSnapshot | None = None

    @property
    def is_open(self) -> bool:
        """Whether the run is not complete yet, and nothing is wrong with it."""
        return self.missing is not None or self.snapshot is not None


def adoption_of(run: RunObject, runtime: RuntimeObject | None) -> Adoption:
    """What follows from the runtime that the run awaits; nothing for a run that awaits none."""
    if run.awaiting is None:
        return Adoption(run)
    if runtime is None:
        return Adoption(run, missing=_missing(run))
    name = f"{runtime.kind} {runtime.name}"
    problems = tuple(_within(name, problem) for problem in runtime.problems)
    problems = problems or problems_with(run.awaiting, name, runtime.template)
    if problems:
        return Adoption(replace(run, problems=problems))
    snapshot = RuntimeSnapshot(
        kind=runtime.kind,
        name=runtime.name,
        uid=runtime.uid,
        generation=runtime.generation,
        template=dict(runtime.template),
    )
    return Adoption(run, snapshot=snapshot)


def _missing(run: RunObject) -> str:
    reference = reference_of(run.awaiting)
    where = "" if reference is None or reference.kind != RUNTIME_KIND else f" in namespace {run.namespace}"
    return f"{RUNTIME_PATH}: there is no {reference}{where} that the operator can see; the run begins once it exists."


def _within(runtime: str, problem: Problem) -> Problem:
    return Problem(RUNTIME_PATH, f"{runtime}, whose {problem}", "a runtime that is valid")
