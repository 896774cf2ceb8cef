"""Files of TrainingRuns: the runs in them, and every problem with the line and column that it is about.

The only part of this package that reads files. It must not print: the caller decides what is shown.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from trainingrun.contract.labels import API_VERSION, KIND
from trainingrun.errors import InvalidSpec, Problem
from trainingrun.spec.nodes import Document, Position, TooComplex, documents_of
from trainingrun.spec.parse import parse
from trainingrun.spec.paths import split_path
from trainingrun.spec.run import Run

STANDARD_INPUT = "-"
MAX_BYTES = 1 << 20
# What kubectl takes of a folder.
_SUFFIXES = (".yaml", ".yml", ".json")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_WEB = ("http://", "https://")
_WEB_SECONDS = 30.0


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
    """A run, the place where its document begins, and the document as it stands there, without defaults."""

    run: Run
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
    """Everything in a file: runs, problems, and documents of other kinds."""

    runs: tuple[LoadedRun, ...] = ()
    problems: tuple[LocatedProblem, ...] = ()
    others: tuple[OtherDocument, ...] = ()


def load_runs(path: str | Path) -> list[LoadedRun]:
    """The runs of a YAML file (`-`: standard input), at least one; documents of other kinds are skipped.

        for loaded in load_runs("run.yaml"):
            print(loaded.run.metadata.name, loaded.source, loaded.line)

    Raises InvalidSpec, whose text is ready to be shown: one line per problem, with file, line and column.
    """
    reading = read_files([str(path)])
    if reading.problems:
        raise InvalidSpec(list(reading.problems))
    return list(reading.runs)


def read_files(paths: Iterable[str]) -> Reading:
    """What is in the files together: files, folders of them, addresses, or `-`. Never raises.

    Finding no run in any of them is a problem.
    """
    paths = tuple(dict.fromkeys(paths))
    reading = Reading()
    for path in paths:
        reading = _joined(reading, _read_path(path))
    if reading.runs or reading.problems:
        return reading
    allowed = f"a document with apiVersion {API_VERSION} and kind {KIND}"
    names = ", ".join(_shown(path) for path in paths)
    return _with(reading, LocatedProblem("", f"no {KIND}", allowed, names))


def _read_path(path: str) -> Reading:
    try:
        if path == STANDARD_INPUT or path.startswith(_WEB) or not Path(path).is_dir():
            return _read_file(path)
        files = sorted(file for file in Path(path).iterdir() if file.suffix in _SUFFIXES and file.is_file())
    except (OSError, ValueError) as error:
        return Reading(problems=(_unreadable(path, error),))
    if any((Path(path) / name).exists() for name in _KUSTOMIZATIONS):
        allowed = f"plain files; give it what `kubectl kustomize {path}` prints, with -f -"
        return Reading(problems=(LocatedProblem("", "a kustomization", allowed, path),))
    if not files:
        found = f"a folder without files that end in {', '.join(_SUFFIXES)}"
        return Reading(problems=(LocatedProblem("", found, "a folder with such files", path),))
    reading = Reading()
    for file in files:
        reading = _joined(reading, _read_file(str(file)))
    return reading


def _read_file(path: str) -> Reading:
    try:
        return read_text(_shown(path), _bytes_of(path))
    except (OSError, ValueError) as error:
        return Reading(problems=(_unreadable(path, error),))


def _bytes_of(path: str) -> bytes:
    """What the file holds, or one byte more than is allowed."""
    if path == STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    if path.startswith(_WEB):
        from urllib.request import urlopen

        with urlopen(path, timeout=_WEB_SECONDS) as answer:  # noqa: S310 - no other scheme gets here
            return bytes(answer.read(MAX_BYTES + 1))
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unreadable(path: str, error: OSError | ValueError) -> LocatedProblem:
    if path.startswith(_WEB):
        return LocatedProblem("", str(error), "an address to read from", path)
    found = getattr(error, "strerror", None) or "a path that cannot be opened"
    return LocatedProblem("", found[:1].lower() + found[1:], "a file or folder to read, or - for standard input", path)


def read_text(source: str, data: bytes) -> Reading:
    """What is in the text of a file; `source` is what problems call it. Never raises."""
    if len(data) > MAX_BYTES:
        return Reading(problems=(LocatedProblem("", "more than 1 MiB", "a file of at most 1 MiB", source),))
    reading = Reading()
    try:
        data.decode("utf-8")
        for document in documents_of(data):
            reading = _joined(reading, _read_document(source, document))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        return _with(reading, LocatedProblem("", "bytes that are not UTF-8", "UTF-8 text", source, line, column))
    except TooComplex as error:
        return _with(reading, LocatedProblem("", error.found, error.allowed, source, *error.position))
    except yaml.YAMLError as error:
        return _with(reading, _syntax_problem(source, data, error))
    return reading


def _shown(path: str) -> str:
    return "<stdin>" if path == STANDARD_INPUT else path


def _joined(first: Reading, second: Reading) -> Reading:
    return Reading(first.runs + second.runs, first.problems + second.problems, first.others + second.others)


def _with(reading: Reading, problem: LocatedProblem) -> Reading:
    return dataclasses.replace(reading, problems=(*reading.problems, problem))


def _read_document(source: str, document: Document) -> Reading:
    value = document.root.value
    if value is None and not document.mistakes:
        return Reading()
    problems = [LocatedProblem(m.path, m.found, m.allowed, source, *m.position) for m in document.mistakes]
    if isinstance(value, dict) and isinstance(value.get("kind"), str) and value["kind"] != KIND:
        return Reading(others=(OtherDocument(value, source, *document.start, tuple(problems)),))
    try:
        run = parse(value)
    except InvalidSpec as error:
        told = {problem.path for problem in problems}
        problems += [_located(source, document, problem) for problem in error.problems if problem.path not in told]
    else:
        if not problems:
            return Reading(runs=(LoadedRun(run, source, document.start.line, value),))
    return Reading(problems=tuple(sorted(problems, key=lambda problem: (problem.line, problem.column))))


def _located(source: str, document: Document, problem: Problem) -> LocatedProblem:
    position = document.root.position_of(split_path(problem.path), document.start)
    return LocatedProblem(problem.path, problem.found, problem.allowed, source, *position)


def _syntax_problem(source: str, data: bytes, error: yaml.YAMLError) -> LocatedProblem:
    """The parser's complaint as a problem; a control character is reported by its offset only."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return LocatedProblem("", "a control character", "text without control characters", source)
    position = Position(error.problem_mark.line + 1, error.problem_mark.column + 1)
    lines = data.splitlines()
    has_tab = position.line <= len(lines) and b"\t" in lines[position.line - 1]
    allowed = "YAML indented by spaces, not by tabs" if has_tab else "YAML; check this line and the one before it"
    return LocatedProblem("", f"a YAML syntax error ({error.problem})", allowed, source, *position)
