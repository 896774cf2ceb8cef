"""The oracle: what a broken training has to say for itself, and whether it did."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import breaking_forms
import breaking_recipes
import breaking_values
from example_runs import RECIPES, Example
from facts import FACTS
from in_process import Told, train
from mutation import Copy, Mutation

MUTATIONS = [*breaking_forms.MUTATIONS, *breaking_values.MUTATIONS, *breaking_recipes.MUTATIONS]
BROKEN_HOOKS = Path(__file__).parent / "broken_hooks"
# Outcomes that are right, from the best to the one that nothing can be done about.
GOOD = ("trained", "refused", "failed", "noticed", "cannot be known")
BAD = ("late", "unnamed", "silent")
_SECONDS = 30


@dataclass(frozen=True)
class Case:
    """A mutation of an example."""

    mutation: Mutation
    example: Example

    def __str__(self) -> str:
        return f"{self.example.name}: {self.mutation.what}"


@dataclass(frozen=True)
class Verdict:
    """`outcome` is one of GOOD or BAD; `sentence` is what was said, empty if nothing was."""

    outcome: str
    sentence: str

    @property
    def is_good(self) -> bool:
        return self.outcome in GOOD


CASES = [Case(mutation, example) for mutation in MUTATIONS for example in RECIPES if example.name in mutation.examples]


def judge(case: Case, data: Path, place: Path) -> Verdict:
    """Break a copy of the example, whose data are in volume `data`, below `place`, and train it."""
    shutil.copytree(data, place)
    copy = Copy(case.example, case.example.document(), place)
    case.mutation.apply(copy)
    told = train(copy.document, place, case.example.folder, BROKEN_HOOKS)
    if told.end.exit_code in (12, 13):
        return _of_failure(case, told)
    assert told.end.exit_code == 0, told.end
    if case.example.figure.is_met(told.metrics):
        return Verdict("trained", "")
    # What is said of the example as it is, too, says nothing of the mistake.
    usual = _usual_notices(case.example, data)
    named = [notice for notice in told.notices if notice not in usual and _pattern(case).search(notice)]
    if named:
        return Verdict("noticed", named[0])
    return Verdict("cannot be known" if case.mutation.unknowable else "silent", "")


@functools.lru_cache(maxsize=len(RECIPES))
def _usual_notices(example: Example, data: Path) -> frozenset[str]:
    with tempfile.TemporaryDirectory(prefix="trainingrun-example-") as folder:
        shutil.copytree(data, folder, dirs_exist_ok=True)
        return frozenset(train(example.document(), Path(folder), example.folder).notices)


def _of_failure(case: Case, told: Told) -> Verdict:
    message = told.end.message
    if not _is_named(case, message):
        return Verdict("unnamed", _shown(message))
    # What fails after an epoch must have left that epoch's checkpoint.
    is_late = told.seconds > _SECONDS or (bool(told.epochs) and not told.has_checkpoint)
    outcome = "refused" if told.end.exit_code == 12 else "failed"
    return Verdict("late" if is_late else outcome, _shown(message))


def _is_named(case: Case, message: str) -> bool:
    """Whether a message names what is wrong, or shows the line of the author's code that failed."""
    authors = (f"{case.example.name}.py", "broken.py")
    if any(f'{name}", line' in message for name in authors):
        return True
    said = message.splitlines()[-1] if _is_traceback(message) else message
    return _pattern(case).search(said) is not None


def _is_traceback(message: str) -> bool:
    return "Traceback (most recent call last)" in message


def _pattern(case: Case) -> re.Pattern[str]:
    facts = FACTS[case.example.name]
    dataset = case.example.document()["spec"]["recipe"]["dataset"]
    inputs = {facts.inputs, *dataset.get("inputColumns", [dataset.get("inputColumn")])}
    targets = {facts.target or "target", dataset.get("targetColumn", "target")}
    named = case.mutation.named.replace("{input}", "|".join(map(re.escape, sorted(inputs))))
    return re.compile(named.replace("{target}", "|".join(map(re.escape, sorted(targets)))), re.IGNORECASE)


def _shown(message: str) -> str:
    """A sentence, or the last line of a traceback."""
    lines = [line for line in message.splitlines() if line.strip()]
    return lines[-1].strip() if _is_traceback(message) else lines[0].strip()
