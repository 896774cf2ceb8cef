"""The page docs/mutations.md: written from what the harness finds, and read back by the tests that compare it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from example_runs import ROOT
from judging import GOOD, MUTATIONS, Case, Verdict

PAGE = ROOT / "docs" / "mutations.md"
_MEANINGS = {
    "refused": "ends with exit code 12 before the first step, with a sentence that names the field, hook or column",
    "failed": "ends with exit code 13 and such a sentence, or the line of the author's function that failed; what was "
    "trained before has a checkpoint",
    "noticed": "trains to a bad result, and a notice in the record says what is doubtful",
    "trained": "reaches the example's figure all the same",
    "cannot be known": "trains to a bad result that nothing tells from a hard problem",
}
_HEADING = "| Mistake | What happens | For example |\n|---|---|---|\n"
_OUTCOME = re.compile(r"([a-z ]+): ([a-z_, ]+)")
_MOST = 240


def page(verdicts: Mapping[Case, Verdict]) -> str:
    """The whole page."""
    counts = {outcome: sum(v.outcome == outcome for v in verdicts.values()) for outcome in _MEANINGS}
    legend = "".join(f"| {outcome} | {counts[outcome]} | {meaning} |\n" for outcome, meaning in _MEANINGS.items())
    rows = "".join(_row(mutation.what, verdicts) for mutation in MUTATIONS)
    reasons = "".join(f"- {m.what}: {m.unknowable}\n" for m in MUTATIONS if m.unknowable)
    return (
        "# What mistakes lead to\n\n"
        "Twelve of the trainings under [examples](../examples/README.md) are broken in the ways in which people break\n"
        f"theirs: {len(verdicts)} broken trainings. A bad result must not come without a word. `make mutations` tries\n"
        "all of them and writes this page; the tests compare it with what happens.\n\n"
        f"| Outcome | Trainings | Meaning |\n|---|---|---|\n{legend}\n"
        f"{_HEADING}{rows}\n"
        f"What nobody can know from the run:\n\n{reasons}"
    )


def documented() -> dict[tuple[str, str], str]:
    """Outcomes on the page, by mutation and example."""
    found: dict[tuple[str, str], str] = {}
    _, _, table = PAGE.read_text().partition(_HEADING)
    for line in table.splitlines():
        if not line.startswith("| "):
            break
        what, happens, _ = line.strip("| ").split(" | ", 2)
        for outcome, names in _OUTCOME.findall(happens):
            found.update({(what, name): outcome.strip() for name in names.strip(", ").split(", ")})
    return found


def without_place(sentence: str, place: Path) -> str:
    """A sentence as on any machine: the volume is `V`."""
    return sentence.replace(str(place), "V")


def _row(what: str, verdicts: Mapping[Case, Verdict]) -> str:
    mine = {case.example.name: verdict for case, verdict in verdicts.items() if case.mutation.what == what}
    happens = "; ".join(
        f"{outcome}: {', '.join(name for name, verdict in mine.items() if verdict.outcome == outcome)}"
        for outcome in sorted({verdict.outcome for verdict in mine.values()}, key=_place)
    )
    said = next((verdict.sentence for verdict in mine.values() if verdict.sentence), "")
    short = said if len(said) <= _MOST else said[:_MOST].rsplit(" ", 1)[0] + " …"
    return f"| {what} | {happens} | {short.replace('|', '/').replace('<', '&lt;') or '-'} |\n"


def _place(outcome: str) -> int:
    return list(_MEANINGS).index(outcome) if outcome in GOOD else len(_MEANINGS)
