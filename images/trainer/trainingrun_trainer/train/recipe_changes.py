"""What becomes of a recipe that has changed since the checkpoint that training goes on from: said field by field.

Pure. Two kinds of things come out of a checkpoint whatever the recipe says now: an optimizer's and a scheduler's
settings. Everything else is made anew from the recipe.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from typing import Any

from trainingrun.spec.model import Model
from trainingrun.spec.recipe import Recipe
from trainingrun_trainer.failures.errors import InvalidConfiguration

_ABSENT = "not given"
# What a user can do who does not want the checkpoint's part.
ANOTHER_FOLDER = "another spec.storage.runName (without one, another metadata.name) starts anew"


class _Rule(enum.Enum):
    """What a change of a field means."""

    HONOURED = "this holds from here on"
    MUST_FIT = "this holds from here on, and the checkpoint's weights must fit"
    STAYS = "the old value stays, because it comes back with the checkpoint"
    SPENT = "it has no effect, as the run goes on from a checkpoint of its own"
    IMPOSSIBLE = "its state in the checkpoint belongs to the old one"


# The first prefix of a field's path that applies; for all others, HONOURED.
_RULES = (
    ("initialCheckpoint", _Rule.SPENT),
    ("model", _Rule.MUST_FIT),
    ("optimizer.function", _Rule.IMPOSSIBLE),
    ("optimizer.parameters", _Rule.STAYS),
    ("scheduler.function", _Rule.IMPOSSIBLE),
    ("scheduler.parameters", _Rule.STAYS),
)


def _as_json(value: Any) -> Any:
    return value.model_dump(mode="json", by_alias=True, exclude_unset=True) if isinstance(value, Model) else value


_DEFAULTS = {
    field.alias or name: _as_json(field.default)
    for name, field in Recipe.model_fields.items()
    if not field.is_required()
}


def changes(recorded: dict[str, Any], current: dict[str, Any], way_out: str = ANOTHER_FOLDER) -> tuple[str, ...]:
    """Sentences about what differs: `run`, `recipe`, `code`, `versions` and `dataset` of a checkpoint and of now.

    `way_out` is what a user can do who does not want the checkpoint's part. Raises InvalidConfiguration where the
    checkpoint cannot be gone on from. A checkpoint that has recorded nothing differs in nothing.
    """
    if not recorded:
        return ()
    before, after = _resolved(recorded["recipe"]), _resolved(current["recipe"])
    # What a loop of the author's takes out of a checkpoint only its author knows.
    is_own = after.get("loop") is not None
    sentences = [
        _of_field(path, then, now, way_out, is_own=is_own) for path, then, now in _differences(before, after, "")
    ]
    sentences = [*_of_code(recorded, current), *sentences]
    return (*_of_run(recorded, current), *sentences, *_of_files(recorded, current), *_of_versions(recorded, current))


def _of_field(path: str, then: Any, now: Any, way_out: str, *, is_own: bool) -> str:
    rule = next((rule for prefix, rule in _RULES if f"{path}.".startswith(f"{prefix}.")), _Rule.HONOURED)
    if rule is _Rule.IMPOSSIBLE and _name(then) == _name(now):
        rule = _Rule.HONOURED  # the same thing, named through another module
    field = f"spec.recipe.{path}: was {_shown(then)} when the checkpoint was saved, is now {_shown(now)}"
    if is_own and rule is not _Rule.SPENT:
        return f"{field}; what follows is up to spec.recipe.loop"
    if rule is _Rule.IMPOSSIBLE:
        raise InvalidConfiguration(f"{field}, but {rule.value}; allowed: {_shown(then)}; {way_out}")
    return f"{field}; {rule.value}" + (f"; {way_out}" if rule is _Rule.STAYS else "")


def _of_run(recorded: dict[str, Any], current: dict[str, Any]) -> Iterator[str]:
    then, now = recorded.get("run"), current.get("run")
    if then and now and then != now:
        yield f"training goes on from a checkpoint of run {then}"


def _of_code(recorded: dict[str, Any], current: dict[str, Any]) -> Iterator[str]:
    then, now = (f"sha256 {told['code']}" if told.get("code") else _ABSENT for told in (recorded, current))
    if then != now:
        yield f"spec.code: was {then} when the checkpoint was saved, is now {now}; this holds from here on"


def _of_files(recorded: dict[str, Any], current: dict[str, Any]) -> Iterator[str]:
    then, now = recorded.get("dataset"), current.get("dataset")
    if then and now and then["sha256"] != now["sha256"]:
        yield (
            f"spec.recipe.dataset.train: the files have changed since the checkpoint was saved (then {then['files']} "
            f"files of {then['bytes']:,} bytes, now {now['files']} of {now['bytes']:,}). Rows are known by their place "
            "in the list of files, so some rows of the epoch in progress may be left out or repeated"
        )


def _of_versions(recorded: dict[str, Any], current: dict[str, Any]) -> Iterator[str]:
    then, now = recorded.get("versions", {}), current.get("versions", {})
    changed = [
        f"{name} {then[name]} is now {now[name]}"
        for name in sorted(then.keys() & now.keys())
        if then[name] != now[name]
    ]
    if changed:
        yield f"versions have changed since the checkpoint was saved: {', '.join(changed)}"


def _resolved(recipe: dict[str, Any]) -> dict[str, Any]:
    """The recipe with what an absent field means, so that writing out a default is no change."""
    return {**_DEFAULTS, **recipe}


def _differences(then: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Path, old and new value of what differs; a whole function that came or went is one difference."""
    if not isinstance(then, dict) or not isinstance(now, dict):
        if _shown(then) != _shown(now):
            yield path, then, now
        return
    for key in [*then, *(key for key in now if key not in then)]:
        inner = f"{path}.{key}" if path else key
        yield from _differences(then.get(key, _ABSENT), now.get(key, _ABSENT), inner)


def _name(function: Any) -> str:
    return str(function).rpartition(":")[2].rpartition(".")[2]


def _shown(value: Any) -> str:
    if value is None or value == _ABSENT:
        return _ABSENT
    return json.dumps(value)
