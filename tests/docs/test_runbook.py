"""The runbook has a section for every reason, with the words of the code, something to look at and something to do."""

from __future__ import annotations

import re

import pytest
from documents import ROOT, table

from trainingrun.contract.failure_class import FailureClass
from trainingrun.contract.records import Stall
from trainingrun.history.advice import CAUSE_MEANINGS, stall_advice
from trainingrun.status.conditions import REFUSALS, Reason
from trainingrun.status_page.advice import REMEDIES

PAGE = ROOT / "docs" / "runbook.md"
_SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(_SECTION.findall(PAGE.read_text()))
ROWS = {row[0].strip("`"): row[1] for row in table(PAGE, "Reason")}
# A class that is a reason of other conditions too has its section as a class.
DESCRIPTIONS = {str(word): word.description for word in (*Reason, *FailureClass)}
# What the page's commands are about.
_QUOTAS = "kubectl describe resourcequota -n training"


def plain(text: str) -> str:
    """Words without Markdown, on one line."""
    return " ".join(text.replace("`", "").split())


def test_every_reason_is_there_once_and_no_other() -> None:
    sections = [name for name, _ in _SECTION.findall(PAGE.read_text())]
    assert sorted([*sections, *(row[0].strip("`") for row in table(PAGE, "Reason"))]) == sorted(DESCRIPTIONS)


@pytest.mark.parametrize("reason", SECTIONS)
def test_a_section_has_the_meaning_then_commands_then_what_to_do(reason: str) -> None:
    shape = re.fullmatch(r"\n\*(?P<meaning>[^*]+)\*\n\n```sh\n(?P<look>.+?)```\n\n(?P<do>- .+)", SECTIONS[reason], re.S)
    assert shape
    assert plain(shape["meaning"]) == plain(DESCRIPTIONS[reason])
    assert re.search(r"^(kubectl|trainingrun) .*\b(mnist|training|trainingrun-system|nodes?|-A)\b", shape["look"], re.M)


def test_what_needs_nobody_has_its_meaning_in_a_row() -> None:
    assert {reason: DESCRIPTIONS[reason] for reason in ROWS} == ROWS


@pytest.mark.parametrize("reason", REMEDIES)
def test_the_advice_of_a_run_that_waits_is_that_of_its_status_page(reason: str) -> None:
    assert plain(REMEDIES[reason].format(quotas=_QUOTAS)) in plain(SECTIONS[reason])


@pytest.mark.parametrize("failure_class", FailureClass)
def test_the_advice_of_a_failed_run_is_that_of_its_status_page(failure_class: FailureClass) -> None:
    assert plain(failure_class.remedy) in plain(SECTIONS[failure_class])


@pytest.mark.parametrize("cause", CAUSE_MEANINGS)
def test_the_advice_of_a_starved_run_is_that_of_its_status_page(cause: str) -> None:
    advice = stall_advice(Stall(total_percent=50.0, steady_percent=50.0, causes={cause: 50.0}))
    assert plain(f"- {cause}, {advice.partition('because ')[2]}") in plain(SECTIONS["StallAboveLimit"])


def test_whatever_holds_a_run_up_or_ends_it_has_advice() -> None:
    waits = {Reason.UNSCHEDULABLE, Reason.IMAGE_PULL, Reason.CONTAINER_ERROR, Reason.RUNTIME_NOT_FOUND}
    assert set(REMEDIES) == {str(reason) for reason in REFUSALS | waits}


def test_the_contents_name_every_section() -> None:
    contents = re.findall(r"^- \[(.+?)\]\(#.*?\): (.*?)(?=^- \[|^\n|\n\n)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(contents) > 5
    assert {name for _, names in contents for name in re.findall(r"`(\w+)`", names)} == set(SECTIONS)


def test_metrics_are_those_that_are_served() -> None:
    served = {row[0].strip("`") for row in table(ROOT / "docs" / "operator.md", "Metric")}
    named = set(re.findall(r"`(trainingrun_\w+)`", PAGE.read_text()))
    assert len(named) > 5
    assert named <= served
