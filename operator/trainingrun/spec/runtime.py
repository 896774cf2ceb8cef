"""Runtimes: defaults that an administrator gives to runs, and the run that comes of a document and its runtime.

What a runtime may preset is all that RunSpec has but OWN: a new field of runs is one of runtimes too. A template, and a
run that leaves its gaps to a template, are each checked by the model of a run, with stand-ins for what the other gives.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trainingrun.contract.labels import API_VERSION, CLUSTER_RUNTIME_KIND, KIND, RUNTIME_KIND
from trainingrun.errors import InvalidSpec, Problem
from trainingrun.spec.merge import merged, origin
from trainingrun.spec.parse import parse, parse_alone
from trainingrun.spec.paths import join_path, split_path
from trainingrun.spec.run import Run
from trainingrun.spec.runtime_reference import RuntimeReference
from trainingrun.spec.words import found_words, join_words

RUNTIME_KINDS = (CLUSTER_RUNTIME_KIND, RUNTIME_KIND)
# What each run says for itself: what it trains and as what. By the fields around it, as documents have them.
OWN = {
    (): ("runtimeRef", "recipe", "suspend"),
    ("trainer",): ("command", "args"),
    ("storage",): ("runName",),
}
# A run's status holds a copy, and is written again at each step of the run.
MAX_BYTES = 65_536
REFERENCE = "runtimeRef"
RUNTIME_PATH = f"spec.{REFERENCE}"
_FIELDS = ("apiVersion", "kind", "metadata", "spec")
_STAND_INS = {"image": "stand-in", "storage": {"uri": "stand-in://storage"}}
_STAND_IN_RUN = {**_STAND_INS, "trainer": {"command": ["stand-in"]}}


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A parsed runtime. `template` is the part of a run's spec that it gives, as it was written, without nulls."""

    kind: str
    name: str
    namespace: str | None
    template: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def parse_runtime(document: object) -> Runtime:
    """The runtime that a document (plain Python values) describes. Raises InvalidSpec with every problem."""
    top = document if isinstance(document, dict) else {}
    spec = top.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    problems = list(_problems_around(top))
    if isinstance(template, dict):
        problems += _problems_in(template)
    else:
        problems.append(Problem("spec.template", found_words(template) if template else "nothing", "fields of a run"))
    if problems:
        raise InvalidSpec(problems)
    metadata = top["metadata"]
    return Runtime(top["kind"], metadata["name"], metadata.get("namespace"), _without_nulls(template))


def reference_of(document: object) -> RuntimeReference | None:
    """The runtime that the document of a run names, if it names one; None too where that is not readable."""
    spec = document.get("spec") if isinstance(document, Mapping) else None
    named = spec.get(REFERENCE) if isinstance(spec, Mapping) else None
    if not isinstance(named, Mapping):
        return None
    try:
        return RuntimeReference.model_validate(named)
    except ValueError:
        return None


def with_template(document: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a run with all that only the template says, and without its reference. Nothing is checked."""
    spec = merged(template, document["spec"])
    spec.pop(REFERENCE, None)
    return {**document, "spec": spec}


def snapshot_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The template that a run's status has of its runtime, as it was when the run was accepted."""
    status = body.get("status")
    runtime = status.get("runtime") if isinstance(status, Mapping) else None
    template = runtime.get("template") if isinstance(runtime, Mapping) else None
    return template if isinstance(template, Mapping) else None


def whole_spec(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec of a TrainingRun as the API server has it, with the snapshot of its runtime merged into it."""
    spec, snapshot = body.get("spec"), snapshot_of(body)
    if not isinstance(spec, Mapping):
        return {}
    return spec if snapshot is None or reference_of(body) is None else merged(snapshot, spec)


def parse_with(document: Mapping[str, Any], runtime: str, template: Mapping[str, Any]) -> Run:
    """The run of a document and its runtime's template, or InvalidSpec, which says what came from the `runtime`.

    The document itself must be valid as far as it goes: `parse_alone` accepts it.
    """
    try:
        return parse(with_template(document, template))
    except InvalidSpec as error:
        told = [_with_origin(problem, document["spec"], runtime, template) for problem in error.problems]
        raise InvalidSpec(told) from None


def check_alone(document: object) -> Run:
    """What can be said of a run with a runtime that is not known: the run with stand-ins for image and storage.

    Raises InvalidSpec. Of what comes back, only metadata may be used.
    """
    spec = document.get("spec") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(spec, dict):
        return parse(document)
    return parse_alone({**document, "spec": merged(_STAND_INS, spec)})


def _problems_around(top: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a runtime's document outside of its template."""
    if top.get("apiVersion") != API_VERSION:
        yield Problem("apiVersion", found_words(top.get("apiVersion")), API_VERSION)
    if top.get("kind") not in RUNTIME_KINDS:
        yield Problem("kind", found_words(top.get("kind")), join_words(RUNTIME_KINDS))
    metadata = top.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    try:
        RuntimeReference.model_validate({"name": name})
    except ValueError:
        allowed = "text of 1 to 253 characters: lower-case letters, digits, '-' and '.'"
        yield Problem("metadata.name", found_words(name), allowed)
    if top.get("kind") == CLUSTER_RUNTIME_KIND and isinstance(metadata, dict) and metadata.get("namespace"):
        yield Problem("metadata.namespace", found_words(metadata["namespace"]), f"none in a {CLUSTER_RUNTIME_KIND}")
    yield from _unknown((), top, (*_FIELDS, "status"))
    if isinstance(top.get("spec"), dict):
        yield from _unknown(("spec",), top["spec"], ("template",))


def _unknown(steps: tuple[str, ...], found: Mapping[str, Any], known: Iterable[str]) -> Iterator[Problem]:
    for name in found:
        if name not in known:
            yield Problem(join_path((*steps, str(name))), "an unknown field", join_words(known))


def _problems_in(template: dict[str, Any]) -> Iterator[Problem]:
    own = {(*steps, name) for steps, names in OWN.items() for name in names}
    for steps in sorted(own):
        if _at(template, steps) is not None:
            yield Problem(join_path(("spec", "template", *steps)), "a field of each run's own", f"only in a {KIND}")
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "stand-in"}}
    try:
        size = len(json.dumps(template, separators=(",", ":")))
        if size > MAX_BYTES:
            yield Problem("spec.template", f"{size:,} bytes as JSON", f"at most {MAX_BYTES:,} bytes")
        parse({**document, "spec": merged(_STAND_IN_RUN, _without(template, own))})
    except InvalidSpec as error:
        for problem in error.problems:
            rest = problem.path.removeprefix("spec") if problem.path.startswith("spec.") else ""
            yield Problem(f"spec.template{rest}", problem.found, problem.allowed)
    except (TypeError, ValueError, RecursionError):
        yield Problem("spec.template", "what is not JSON", "fields of a run")


def _at(value: object, steps: tuple[str, ...]) -> object:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _without(template: dict[str, Any], own: set[tuple[str, ...]], steps: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        name: _without(value, own, (*steps, name)) if isinstance(value, dict) else value
        for name, value in template.items()
        if (*steps, name) not in own
    }


def _without_nulls(value: Any) -> Any:
    """The value without the keys whose value is null, as the API server would store it."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _with_origin(problem: Problem, spec: Mapping[str, Any], runtime: str, template: Mapping[str, Any]) -> Problem:
    steps = split_path(problem.path)[1:]
    match origin(steps, template, spec):
        case "runtime":
            words = f"{problem.found} (from {runtime})"
        case "both":
            words = f"{problem.found} (from the run and {runtime} together)"
        case "default":
            words = f"{problem.found} (neither in the run nor in {runtime})"
        case "run":
            words = problem.found
    return Problem(problem.path, words, problem.allowed)
