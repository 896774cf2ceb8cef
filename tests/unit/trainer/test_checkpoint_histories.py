"""Whatever fails, and wherever a run is killed: nothing whole is lost, nothing torn is used, and nothing is made up."""

from __future__ import annotations

import pytest
from checkpoint_histories import History


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_a_run_survives_whatever_its_store_does(first: int) -> None:
    for seed in range(first, first + 50):
        _play(seed)


def _play(seed: int) -> None:
    try:
        History(seed).play()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
