"""Every field of a run's spec at every edge of what it may be, and just beyond: from the schema, without chance.

After Acto (Gu et al., SOSP 2023). Whatever a field is set to, the spec is refused in words that name the field, or it
is understood as written and can be rendered; nothing is ever dropped in silence.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from run_documents import full_run
from run_mutations import AMOUNTS, BASES, KEYS, SPEC, TEXTS, WRONG, Schema, Steps, places

from trainingrun.errors import InvalidSpec
from trainingrun.observed import run_object_of
from trainingrun.render import RenderSettings, ray_job
from trainingrun.spec import Run, parse
from trainingrun.spec.paths import split_path
from trainingrun.spec.quantity import Quantity

ABSENT = object()
_METADATA = {"namespace": "team", "uid": "0", "resourceVersion": "1", "generation": 1}
_CREATED = "2026-01-01T00:00:00Z"


@dataclass(frozen=True)
class Edge:
    """A place in a spec, and what is there."""

    base: int
    place: Steps
    value: Any

    def __str__(self) -> str:
        value = "absent" if self.value is ABSENT else repr(self.value)
        return f"spec.{'.'.join(map(str, self.place))} of base {self.base}: {value[:100]}"

    def document(self) -> Schema:
        """The run."""
        run: Schema = copy.deepcopy(bases()[self.base])
        parent: Any = run["spec"]
        for step in self.place[:-1]:
            parent = parent[step]
        if self.value is ABSENT:
            del parent[self.place[-1]]
        else:
            parent[self.place[-1]] = copy.deepcopy(self.value)
        return run


@cache
def bases() -> list[Schema]:
    """Valid runs in which each field is set at least once."""
    return [full_run("mnist"), *BASES]


@cache
def edges() -> tuple[Edge, ...]:
    """All of them. A field that more than one base has is tried in the first one."""
    tried = set[tuple[object, ...]]()
    found = []
    for number, base in enumerate(bases()):
        for place, schema in places(base["spec"], SPEC):
            kind = tuple("*" if isinstance(step, int) else step for step in place)
            if kind not in tried:
                tried.add(kind)
                found += [Edge(number, place, value) for value in (ABSENT, None, *_values(schema, _at(base, place)))]
    return tuple(found)


def judge(edge: Edge) -> str:
    """Refused in words that name the field, or understood and rendered; AssertionError if neither."""
    document = edge.document()
    try:
        run = parse(document)
    except InvalidSpec as error:
        named = [problem for problem in error.problems if is_about(problem.path, str(problem), edge.place)]
        assert named, f"no problem names the field: {error}"
        return "refused"
    _check_understood(edge, run)
    metadata = {**_METADATA, **document["metadata"], "creationTimestamp": _CREATED}
    seen = run_object_of({**document, "metadata": metadata, "status": {}})
    json.dumps(ray_job(seen, 0, RenderSettings()))
    return "rendered"


def is_about(path: str, words: str, place: Steps) -> bool:
    """Whether the problem at `path` is about the part of the spec that was changed, or its words name the field."""
    steps = split_path(path)
    is_near = len(steps) < 2 or steps[1] == place[0]
    return is_near or any(step in words for step in place[-2:] if isinstance(step, str))


def _check_understood(edge: Edge, run: Run) -> None:
    """What was written is what is meant."""
    written = _find(run.to_document()["spec"], edge.place)
    if edge.value in (ABSENT, None) or edge.value in ([], {}):
        return
    assert _is_same(written, edge.value), f"understood as {written!r}"


def _is_same(found: Any, given: Any) -> bool:
    if isinstance(given, dict) and isinstance(found, dict):
        return all(_is_same(found.get(key), inner) for key, inner in given.items() if inner not in (None, {}, []))
    if isinstance(given, list) and isinstance(found, list):
        return len(found) == len(given) and all(map(_is_same, found, given))
    if type(found) is type(given) and found == given:
        return True
    try:
        return Quantity(str(found)) == Quantity(str(given))
    except ValueError:
        return False


def _at(document: Schema, place: Steps) -> Any:
    return _find(document["spec"], place)


def _find(value: Any, place: Steps) -> Any:
    for step in place:
        value = value.get(step) if isinstance(value, dict) else value[step] if value else None
    return value


def _values(schema: Schema, present: Any) -> Iterator[Any]:
    """Values at the edges of a schema. `present` is a valid one."""
    yield from WRONG
    yield from ["x" * 100_000, "é" * 64, "𝄞", -(2**31), 2**31, 10**40, [None] * 1000, {"é": "é"}]
    if "enum" in schema:
        yield from [
            *schema["enum"],
            *(word.lower() for word in schema["enum"]),
            *(f" {word}" for word in schema["enum"]),
        ]
    elif schema.get("x-kubernetes-int-or-string"):
        yield from AMOUNTS
    elif schema.get("x-kubernetes-preserve-unknown-fields"):
        yield from [present, {"deep": {"list": [None, 1, 0.5]}}]
    else:
        yield from _EDGES[schema["type"]](schema, present)


def _numbers(schema: Schema, present: Any) -> Iterator[Any]:
    low, high = schema.get("minimum", 0), schema.get("maximum", 2**31)
    yield from [low - 1, low, low + 1, high - 1, high, high + 1, low + 0.5, -low, str(low), float(low), -0.0]


def _booleans(schema: Schema, present: Any) -> Iterator[Any]:
    yield from [True, False, "true", "yes", 1]


def _texts(schema: Schema, present: Any) -> Iterator[Any]:
    most = schema["maxLength"]
    yield from [*TEXTS, present, f" {present}", f"{present} ", f"{present}\n", present.upper(), f"{present}\0"]
    yield from [present + present[-1] * (length - len(present)) for length in (most, most + 1)]


def _lists(schema: Schema, present: Any) -> Iterator[Any]:
    most = schema.get("maxItems", 100)
    yield from [
        present * 2,
        present[:1] * 2,
        present[:1] * most,
        present[:1] * (most + 1),
        [*present, None],
        present[:1],
    ]
    yield [*present, "x"]


def _objects(schema: Schema, present: Any) -> Iterator[Any]:
    yield {**present, "unknown": 1}
    some = next(iter(present.values()), 1)
    if "additionalProperties" in schema:
        yield from [{**present, key: some} for key in KEYS]
        yield from [{f"k{number}": some for number in range(count)} for count in (1, 1000)]
    else:
        yield from [{name: inner} for name, inner in present.items()]


_EDGES = {
    "integer": _numbers,
    "number": _numbers,
    "boolean": _booleans,
    "string": _texts,
    "array": _lists,
    "object": _objects,
}
