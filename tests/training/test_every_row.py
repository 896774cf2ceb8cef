"""Every row of every epoch is trained on exactly once: whatever the number of workers, and however a run is stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from driving import document, seen_rows, start

from trainingrun.contract.records import AttemptStarted, Placement, Progress

pytestmark = pytest.mark.timeout(600)


def recording(uneven: Path, place: Path, seconds_per_step: float = 0.0) -> dict:
    (place / "seen").mkdir(parents=True)
    loop = {
        "function": "training_hooks:record_rows",
        "parameters": {"folder": str(place / "seen"), "seconds_per_step": seconds_per_step},
    }
    return document(uneven, place / "storage", {"loop": loop})


@pytest.mark.parametrize("workers", [*(pytest.param(few, marks=pytest.mark.extended) for few in (1, 2)), 3])
def test_once_for_any_number_of_workers_and_then_there_is_nothing_to_do(
    address: str, uneven: Path, tmp_path: Path, workers: int
) -> None:
    run = recording(uneven, tmp_path)
    training = start(run, tmp_path, address, workers)

    assert training.end() == 0, training.output()
    for epoch in (0, 1):
        assert sorted(seen_rows(tmp_path / "seen", epoch)) == list(range(2001))
    first, second = (seen_rows(tmp_path / "seen", epoch) for epoch in (0, 1))
    assert first != second, "the second epoch came in the order of the first"
    (placement,) = [record for record in training.records() if isinstance(record, Placement)]
    assert placement.data_rows == {"data-0": 2 * 2001}
    assert sorted(rank for ranks in placement.trainer_ranks.values() for rank in ranks) == list(range(workers))
    assert all(node.startswith("trainer-") for node in placement.trainer_ranks)

    training = start(run, tmp_path, address, workers)
    assert training.end() == 0, training.output()
    assert "nothing to do" in training.last_word().message
    assert seen_rows(tmp_path / "seen", 1) == second


def test_once_when_stopped_in_an_epoch_and_continued(address: str, uneven: Path, tmp_path: Path) -> None:
    """Stopped with two workers, continued with one: the rows used before are not used again."""
    run = recording(uneven, tmp_path, seconds_per_step=0.15)
    training = start(run, tmp_path, address, workers=2)
    training.wait_for(lambda records: any(isinstance(r, Progress) and 5 <= r.step <= 25 for r in records))
    training.signal(signal.SIGINT)

    assert training.end() == 10, training.output()
    before = len(seen_rows(tmp_path / "seen", 0))
    assert 0 < before < 2001

    training = start(recording_again(run), tmp_path, address, workers=1)
    assert training.end() == 0, training.output()
    for epoch in (0, 1):
        assert sorted(seen_rows(tmp_path / "seen", epoch)) == list(range(2001))
    resumed = [record for record in training.records() if isinstance(record, AttemptStarted)][-1]
    assert resumed.resumed_from is not None
    assert (resumed.first_epoch, resumed.first_step > 0) == (0, True)


def recording_again(run: dict) -> dict:
    run["spec"]["recipe"]["loop"]["parameters"]["seconds_per_step"] = 0.0
    return run


def test_a_second_signal_stops_at_once(address: str, uneven: Path, tmp_path: Path) -> None:
    training = start(recording(uneven, tmp_path, seconds_per_step=5.0), tmp_path, address)
    training.wait_for(lambda records: any(isinstance(r, AttemptStarted) for r in records))
    training.signal(signal.SIGINT)
    training.wait_for(lambda records: any("second SIGINT" in getattr(r, "message", "") for r in records), seconds=30)
    training.signal(signal.SIGINT)

    assert training.end(seconds=10) == 128 + signal.SIGINT
