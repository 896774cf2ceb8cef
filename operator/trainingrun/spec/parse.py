"""The only way from a document to a `Run`: all problems are found at once and explained in plain words.

It must do no I/O and raise nothing but InvalidSpec, whatever object it gets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from trainingrun.errors import InvalidSpec, Problem
from trainingrun.spec.code import Code
from trainingrun.spec.groups import Data, Trainer
from trainingrun.spec.model import BROKEN_RULES, Model
from trainingrun.spec.patches import PodTemplatePatch, PodTemplatePatches
from trainingrun.spec.paths import join_path, nested_path
from trainingrun.spec.plain import PlainCopy, Steps, TooLarge
from trainingrun.spec.pod_rules import Mounting, rules_of_mounting, topology_alone
from trainingrun.spec.recipe import Recipe
from trainingrun.spec.rules import broken_rules, one_entrypoint
from trainingrun.spec.run import Metadata, Run
from trainingrun.spec.storage import Storage
from trainingrun.spec.topology import Topology
from trainingrun.spec.volumes import VolumeMounts, Volumes
from trainingrun.spec.words import KEY_STEP, allowed_words, found_words, unknown_field_words

ROOT = "document"
MAX_PROBLEMS = 100

Part = TypeVar("Part", bound=Model)
Entries = TypeVar("Entries")

_VOLUMES: TypeAdapter[Volumes] = TypeAdapter(Volumes)
_MOUNTS: TypeAdapter[VolumeMounts] = TypeAdapter(VolumeMounts)
_PATCHES: TypeAdapter[tuple[PodTemplatePatch, ...]] = TypeAdapter(PodTemplatePatches)


def parse(document: object) -> Run:
    """The run that a document (plain Python values, as read from JSON or YAML) describes.

    Raises InvalidSpec with every problem (at most a hundred) if it is not a run. `status` is ignored. A run that names
    a runtime is none by itself: `trainingrun.spec.runtime` makes one of both.
    """
    return _parsed(document, is_whole=True)


def parse_alone(document: object) -> Run:
    """As `parse`, of a run whose runtime is not known: it may name one, and its parts are not compared."""
    return _parsed(document, is_whole=False)


def _parsed(document: object, *, is_whole: bool) -> Run:
    copier = PlainCopy()
    try:
        plain = copier.copy(_ours(document))
    except TooLarge as error:
        raise InvalidSpec([_refused(error.steps, error.found)]) from None
    problems = [_refused(steps, found) for steps, found in copier.refused[:MAX_PROBLEMS]]
    try:
        run = Run.model_validate(plain)
    except ValidationError as error:
        problems += problems_of(error, already={problem.path for problem in problems})
    problems += _rules_between_parts(plain, is_whole=is_whole)
    if problems:
        raise InvalidSpec(problems)
    return run


def _ours(document: object) -> object:
    """The document without the parts that are not ours to check: its status, and Kubernetes' own metadata."""
    if type(document) is not dict:
        return document
    known = set(Metadata.model_fields)
    ours = {key: value for key, value in document.items() if key != "status"}
    metadata = ours.get("metadata")
    if type(metadata) is dict:
        ours["metadata"] = {key: value for key, value in metadata.items() if key in known}
    return ours


def _refused(steps: Steps, found: str) -> Problem:
    return Problem(join_path(steps) or ROOT, found, allowed_words(steps))


def problems_of(error: ValidationError, already: Collection[str] = (), place: Steps = ()) -> list[Problem]:
    """The problems behind pydantic's errors, without those at paths that are reported already.

    `place` is where in a document the part is that was validated.
    """
    details = error.errors(include_url=False)
    problems = [problem for detail in details[:MAX_PROBLEMS] for problem in _problems_behind(detail, place)]
    more = len(details) - MAX_PROBLEMS
    if more > 0:
        problems.append(Problem(ROOT, f"{more} more problems", "none; fix the ones above first"))
    return [problem for problem in problems if problem.path not in already]


def _problems_behind(detail: ErrorDetails, place: Steps) -> list[Problem]:
    steps = (*place, *(step for step in detail["loc"] if step != KEY_STEP))
    path = join_path(steps) or ROOT
    if detail["type"] == BROKEN_RULES:
        return [
            Problem(nested_path(path, problem.path), problem.found, problem.allowed)
            for problem in detail["ctx"]["problems"]
        ]
    if detail["type"] == "extra_forbidden":
        return [Problem(path, "an unknown field", unknown_field_words(steps))]
    if detail["type"] == "missing":
        return [Problem(path, "nothing", allowed_words(steps))]
    return [Problem(path, found_words(detail["input"]), allowed_words(steps, detail["input"]))]


def _rules_between_parts(plain: Any, *, is_whole: bool) -> list[Problem]:
    """The broken rules between those parts of the spec that are valid by themselves.

    With a runtime that is not known, only those within what is the run's own: everything else may come from there.
    """
    spec = plain.get("spec") if isinstance(plain, dict) else None
    if not isinstance(spec, dict):
        return []
    recipe = _part(Recipe, spec.get("recipe"))
    trainer = _part(Trainer, spec.get("trainer") or {}) if is_whole else None
    data = _part(Data, spec.get("data") or {}) if is_whole else None
    storage = _part(Storage, spec.get("storage")) if is_whole else None
    code = _part(Code, spec.get("code")) if is_whole else None
    problems = list(broken_rules(recipe, trainer, data, storage, code))
    if is_whole:
        problems += _rules_of_pods(spec, (recipe, trainer, data, storage))
    if is_whole and spec.get("runtimeRef") is not None:
        problems.append(Problem("spec.runtimeRef", "a runtime that is not given", "a run together with its runtime"))
    raw_trainer = spec.get("trainer")
    command = raw_trainer.get("command") if isinstance(raw_trainer, dict) else None
    return problems + list(one_entrypoint(spec.get("recipe") is not None, bool(command)))


def _rules_of_pods(
    spec: dict[str, Any], parts: tuple[Recipe | None, Trainer | None, Data | None, Storage | None]
) -> Iterator[Problem]:
    recipe, trainer, data, storage = parts
    volumes = _entries(_VOLUMES, spec.get("volumes"))
    mounts = _entries(_MOUNTS, spec.get("volumeMounts"))
    if volumes is not None and mounts is not None and trainer and data and storage:
        mounting = Mounting(volumes, mounts, trainer, data, storage)
        yield from rules_of_mounting(mounting, recipe.dataset if recipe else None)
    patches = _entries(_PATCHES, spec.get("podTemplatePatches"))
    yield from topology_alone(_part(Topology, spec.get("topology")), patches or ())


def _entries(kind: TypeAdapter[Entries], value: object) -> Entries | None:
    try:
        return kind.validate_python(value or ())
    except ValidationError:
        return None


def _part(kind: type[Part], value: object) -> Part | None:
    try:
        return kind.model_validate(value)
    except ValidationError:
        return None
