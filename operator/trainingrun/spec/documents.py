"""Files of TrainingRuns and their runtimes, and every problem with the line and column that it is about.

A run takes its defaults from a runtime wherever that stands in the files that are read together. It must not print: the
caller decides what is shown.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from trainingrun.contract.labels import API_VERSION, KIND
from trainingrun.errors import InvalidSpec
from trainingrun.spec.located import (
    LoadedRun,
    LoadedRuntime,
    LocatedProblem,
    OtherDocument,
    Reading,
    other_document,
    read_run,
    read_runtime,
)
from trainingrun.spec.nodes import Document, Position, TooComplex, documents_of
from trainingrun.spec.runtime import RUNTIME_KINDS
from trainingrun.spec.sources import MAX_BYTES, shown, texts_of

__all__ = [
    "LoadedRun",
    "LoadedRuntime",
    "LocatedProblem",
    "OtherDocument",
    "Reading",
    "load_runs",
    "read_files",
    "read_text",
]


@dataclass(frozen=True)
class _Found:
    """What is in files before any run has met its runtime."""

    runs: tuple[tuple[str, Document], ...] = ()
    rest: Reading = field(default_factory=Reading)


def load_runs(path: str | Path) -> list[LoadedRun]:
    """The runs of a YAML file (`-`: standard input), at least one; documents of other kinds are skipped.

        for loaded in load_runs("run.yaml"):
            print(loaded.run.metadata.name, loaded.source, loaded.line)

    A runtime that a run names must be in the file too. Raises InvalidSpec, whose text is ready to be shown: one line
    per problem, with file, line and column.
    """
    reading = read_files([str(path)])
    if reading.problems:
        raise InvalidSpec(list(reading.problems))
    return list(reading.runs)


def read_files(paths: Iterable[str], *, is_whole: bool = True) -> Reading:
    """What is in the files together: files, folders of them, addresses, or `-`. Never raises.

    Finding no run in any of them is a problem. With `is_whole`, so is a run whose runtime is in none of them; without,
    it is checked as far as it goes, and a runtime alone is enough.
    """
    paths = tuple(dict.fromkeys(paths))
    found = _Found()
    for text in (text for path in paths for text in texts_of(path)):
        read = _Found(rest=Reading(problems=(text,))) if isinstance(text, LocatedProblem) else _read_text(*text)
        found = _joined(found, read)
    reading = _met(found, is_whole=is_whole)
    if reading.runs or reading.problems or (reading.runtimes and not is_whole):
        return reading
    allowed = f"a document with apiVersion {API_VERSION} and kind {KIND}"
    names = ", ".join(map(shown, paths))
    return _with(reading, LocatedProblem("", f"no {KIND}", allowed, names))


def read_text(source: str, data: bytes) -> Reading:
    """What is in the text of a file; `source` is what problems call it. Never raises."""
    return _met(_read_text(source, data), is_whole=True)


def _read_text(source: str, data: bytes) -> _Found:
    if len(data) > MAX_BYTES:
        problem = LocatedProblem("", "more than 1 MiB", "a file of at most 1 MiB", source)
        return _Found(rest=Reading(problems=(problem,)))
    found = _Found()
    try:
        data.decode("utf-8")
        for document in documents_of(data):
            found = _joined(found, _read_document(source, document))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        problem = LocatedProblem("", "bytes that are not UTF-8", "UTF-8 text", source, line, column)
    except TooComplex as error:
        problem = LocatedProblem("", error.found, error.allowed, source, *error.position)
    except yaml.YAMLError as error:
        problem = _syntax_problem(source, data, error)
    else:
        return found
    return dataclasses.replace(found, rest=_with(found.rest, problem))


def _joined(first: _Found, second: _Found) -> _Found:
    return _Found(first.runs + second.runs, _sum(first.rest, second.rest))


def _sum(first: Reading, second: Reading) -> Reading:
    return Reading(
        first.runs + second.runs,
        first.runtimes + second.runtimes,
        first.problems + second.problems,
        first.others + second.others,
    )


def _with(reading: Reading, problem: LocatedProblem) -> Reading:
    return dataclasses.replace(reading, problems=(*reading.problems, problem))


def _read_document(source: str, document: Document) -> _Found:
    value = document.root.value
    if value is None and not document.mistakes:
        return _Found()
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind in RUNTIME_KINDS:
        return _Found(rest=read_runtime(source, document))
    if isinstance(kind, str) and kind != KIND:
        return _Found(rest=Reading(others=(other_document(source, document),)))
    return _Found(runs=((source, document),))


def _met(found: _Found, *, is_whole: bool) -> Reading:
    """The runs with the runtimes that they name."""
    reading = found.rest
    # What is wrong with a runtime is told where it stands, and not of its runs again.
    is_whole = is_whole and not found.rest.problems
    for source, document in found.runs:
        reading = _sum(reading, read_run(source, document, found.rest.runtimes, is_whole=is_whole))
    return reading


def _syntax_problem(source: str, data: bytes, error: yaml.YAMLError) -> LocatedProblem:
    """The parser's complaint as a problem; a control character is reported by its offset only."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return LocatedProblem("", "a control character", "text without control characters", source)
    position = Position(error.problem_mark.line + 1, error.problem_mark.column + 1)
    lines = data.splitlines()
    has_tab = position.line <= len(lines) and b"\t" in lines[position.line - 1]
    allowed = "YAML indented by spaces, not by tabs" if has_tab else "YAML; check this line and the one before it"
    return LocatedProblem("", f"a YAML syntax error ({error.problem})", allowed, source, *position)
