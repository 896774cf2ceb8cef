"""A sample of each campaign, so that none of them rots, and every story in which one has found a fault.

`make campaign` runs all of them for as long as it is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import edges
import pytest
import search
import sieve
from many import try_all
from remembered import remember
from scenarios import COMPLETE, RETRIED
from sieve import Replica, Story
from verdict_histories import LENGTH, walk
from watching import Mishap

from trainingrun.engine.informers import Informers

SAMPLE = 250
EDGES = 60
WALKS = 50


@pytest.fixture(autouse=True)
def remembered() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        remember(patch)
        yield


def test_a_sample_of_single_disturbances_changes_nothing_of_the_end() -> None:
    stories = sieve.each()
    assert len(stories) > 4000
    for story in stories[::SAMPLE]:
        sieve.tell(story)


@pytest.mark.parametrize("seed", range(3))
def test_a_sample_of_several_disturbances_changes_nothing_of_the_end(seed: int) -> None:
    assert sieve.pair(seed) == 1


FOUND = [
    # A delete that was decided by an old view of a RayJob took the version of a newer one, which was not to go.
    Story(COMPLETE, (Replica(killed_at=16, age=2.0),)),
    Story(RETRIED, (Replica(killed_at=33, age=10.0),)),
]


@pytest.mark.parametrize("story", FOUND, ids=str)
def test_what_a_campaign_has_found_stays_mended(story: Story) -> None:
    sieve.tell(story)


def test_an_operator_that_never_compares_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or all of this would hold of an operator that misses what it was not told."""

    async def compare_nothing(_: Informers) -> int:
        return 0

    monkeypatch.setattr(Informers, "compare", compare_nothing)
    with pytest.raises(AssertionError, match="complete as seen by"):
        sieve.tell(Story(COMPLETE, (Replica(mishaps={15: Mishap()}),)))


@pytest.mark.parametrize("seed", range(3))
def test_a_walk_plays_every_beginning_of_a_history(seed: int) -> None:
    assert all(1 <= walk(number) <= LENGTH for number in range(seed * WALKS, (seed + 1) * WALKS))


def test_a_sample_of_edges_is_refused_in_words_or_rendered() -> None:
    outcomes = Counter(edges.judge(edge) for edge in edges.edges()[::EDGES])
    assert outcomes["refused"] > outcomes["rendered"] > 20


@pytest.mark.extended
@pytest.mark.parametrize("name", ["edges", "singles", "pairs", "verdicts"])
def test_a_minute_of_each_campaign_finds_nothing(name: str) -> None:
    case, seeds = search.campaigns(2)[name]
    tally = try_all(case, seeds, seconds=60)
    assert tally.histories > 100
    assert tally.faults == {}
