"""One document of a file as a run or a runtime, and every problem with the line and column that it is about.

It must read no files and print nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from trainingrun.contract.labels import KIND
from trainingrun.errors import InvalidSpec, Problem
from trainingrun.spec.nodes import Document
from trainingrun.spec.parse import parse
from trainingrun.spec.paths import split_path
from trainingrun.spec.run import Run
from trainingrun.spec.runtime import RUNTIME_PATH, Runtime, check_alone, parse_runtime, parse_with, reference_of
from trainingrun.spec.runtime_reference import RuntimeReference


@dataclass(frozen=True)
class LocatedProblem(Problem):
    """A problem and where in which file it is; line and column count from 1, 0 is the file as a whole."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        return f"{place}: {super().__str__() if self.path else self.said}"


class LoadedRun(NamedTuple):
    """A run, the place where its document begins, and the document as it stands there, without defaults.

    `runtime` is what it took its defaults from. `unknown` is a runtime that is in none of the files: then stand-ins are
    in the run for what that one gives.
    """

    run: Run
    source: str
    line: int
    document: dict[str, Any]
    runtime: Runtime | None = None
    unknown: RuntimeReference | None = None


class LoadedRuntime(NamedTuple):
    """A runtime, the place where its document begins, and the document as it stands there."""

    runtime: Runtime
    source: str
    line: int
    document: dict[str, Any]


@dataclass(frozen=True)
class OtherDocument:
    """A document of another kind, which is not checked. As text, it is the note that says so."""

    document: dict[str, Any]
    source: str
    line: int
    column: int
    # What no server can see any more in what was read, such as a key that came twice.
    mistakes: tuple[LocatedProblem, ...] = ()

    def __str__(self) -> str:
        kind = str(self.document["kind"])[:64]
        return f"{self.source}:{self.line}:{self.column}: skipped a document of kind {kind}; only {KIND} is checked"


@dataclass(frozen=True)
class Reading:
    """Everything in a file: runs, runtimes, problems, and documents of other kinds."""

    runs: tuple[LoadedRun, ...] = ()
    runtimes: tuple[LoadedRuntime, ...] = ()
    problems: tuple[LocatedProblem, ...] = ()
    others: tuple[OtherDocument, ...] = ()


def other_document(source: str, document: Document) -> OtherDocument:
    """A document of another kind."""
    return OtherDocument(document.root.value, source, *document.start, _told(source, document))


def read_runtime(source: str, document: Document) -> Reading:
    """The runtime of a document."""
    try:
        runtime = parse_runtime(document.root.value)
    except InvalidSpec as error:
        return Reading(problems=_told(source, document, error))
    if document.mistakes:
        return Reading(problems=_told(source, document))
    return Reading(runtimes=(LoadedRuntime(runtime, source, document.start.line, document.root.value),))


def read_run(source: str, document: Document, runtimes: Iterable[LoadedRuntime], *, is_whole: bool) -> Reading:
    """The run of a document, with the runtime that it names. With `is_whole`, that must be among the `runtimes`."""
    value, reference = document.root.value, reference_of(document.root.value)
    try:
        if reference is None:
            loaded = LoadedRun(parse(value), source, document.start.line, value)
        else:
            alone = check_alone(value)
            runtime = _named(reference, alone.metadata.namespace, runtimes)
            if runtime is not None:
                run = parse_with(value, str(runtime), runtime.template)
                loaded = LoadedRun(run, source, document.start.line, value, runtime=runtime)
            elif is_whole:
                allowed = "a runtime whose document is in the same file, or in another one that is given"
                raise InvalidSpec([Problem(RUNTIME_PATH, str(reference), allowed)])
            else:
                loaded = LoadedRun(alone, source, document.start.line, value, unknown=reference)
    except InvalidSpec as error:
        return Reading(problems=_told(source, document, error))
    return Reading(problems=_told(source, document)) if document.mistakes else Reading(runs=(loaded,))


def _named(reference: RuntimeReference, namespace: str | None, runtimes: Iterable[LoadedRuntime]) -> Runtime | None:
    """The runtime that a run of this namespace means. Where one of both names no namespace, theirs is the same."""
    for runtime in (loaded.runtime for loaded in runtimes):
        is_near = None in (namespace, runtime.namespace) or namespace == runtime.namespace
        if (runtime.kind, runtime.name) == (reference.kind, reference.name) and is_near:
            return runtime
    return None


def _told(source: str, document: Document, error: InvalidSpec | None = None) -> tuple[LocatedProblem, ...]:
    """The mistakes in a document and the problems of what it says, in their order in the file."""
    problems = [LocatedProblem(m.path, m.found, m.allowed, source, *m.position) for m in document.mistakes]
    told = {problem.path for problem in problems}
    found = error.problems if error is not None else ()
    problems += [_located(source, document, problem) for problem in found if problem.path not in told]
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _located(source: str, document: Document, problem: Problem) -> LocatedProblem:
    position = document.root.position_of(split_path(problem.path), document.start)
    return LocatedProblem(problem.path, problem.found, problem.allowed, source, *position)
