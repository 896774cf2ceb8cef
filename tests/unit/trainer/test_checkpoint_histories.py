"""Whatever fails, and wherever a run is killed: nothing whole is lost, nothing torn is used, and nothing is made up."""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import pytest
from checkpoint_histories import History

_FEW = 100
_CHUNK = 500


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_run_survives_whatever_its_store_does(temporary: Path) -> None:
    _play(range(_FEW))
    gc.collect()
    assert list(temporary.iterdir()) == []


@pytest.mark.extended
@pytest.mark.parametrize("first", range(_FEW, 10_000, _CHUNK))
def test_ten_thousand_runs_do(first: int) -> None:
    _play(range(first, min(first + _CHUNK, 10_000)))


def _play(seeds: range) -> None:
    for seed in seeds:
        try:
            History(seed).play()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
