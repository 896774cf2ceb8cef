"""No mistake in a training leads to a bad result without a word, and docs/mutations.md says what each leads to."""

from __future__ import annotations

from pathlib import Path

import pytest
from facts import FACTS
from judging import BAD, CASES, MUTATIONS, Case, judge
from outcome_table import documented
from try_all import try_all, write_data

_SAMPLED = CASES[7 :: len(CASES) // 24]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    write_data(folder)
    return folder


def test_every_case_is_documented() -> None:
    assert set(documented()) == {(case.mutation.what, case.example.name) for case in CASES}


def test_no_documented_outcome_is_bad() -> None:
    assert {key: outcome for key, outcome in documented().items() if outcome in BAD} == {}


def test_every_example_is_broken_in_twenty_ways() -> None:
    counts = {name: sum(name in mutation.examples for mutation in MUTATIONS) for name in FACTS}
    assert {name: count for name, count in counts.items() if count < 20} == {}


@pytest.mark.parametrize("case", _SAMPLED, ids=str)
def test_a_mistake_leads_to_what_is_documented(case: Case, data: Path, tmp_path: Path) -> None:
    verdict = judge(case, data / case.example.name, tmp_path / "broken")
    assert verdict.outcome == documented()[case.mutation.what, case.example.name], verdict


@pytest.mark.extended
@pytest.mark.timeout(3600)
def test_every_mistake_leads_to_what_is_documented() -> None:
    found = {(case.mutation.what, case.example.name): verdict.outcome for case, verdict in try_all().items()}
    assert found == documented()
