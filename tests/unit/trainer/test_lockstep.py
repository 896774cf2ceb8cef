"""The exchange between ranks over gloo: rows reach ranks that have none, and rank 0 the account of all."""

from __future__ import annotations

import json
from pathlib import Path

import lockstep_ranks
import offline
import pytest

RANKS = 3


@pytest.mark.timeout(180)
def test_ranks_without_rows_train_those_of_the_others(tmp_path: Path) -> None:
    offline.together(RANKS, lockstep_ranks.main, tmp_path)
    found = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(RANKS)]
    assert [[len(step) for step in rank["steps"]] for rank in found] == [[11] * 7 + [9], [11] * 7 + [9], [10] * 7 + [8]]
    assert sorted(row for rank in found for step in rank["steps"] for row in step) == list(range(250))
    assert [rank["used"] for rank in found] == [250, 0, 0]
