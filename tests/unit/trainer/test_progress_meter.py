"""What is told of a run's progress: rates without the time of saving, and a stall that is the run's, not the attempt's.

Time is made by hand: a worker that does what the session does with its timer and its meter.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.progress_meter import Meter
from trainingrun_trainer.train.stall_timer import StallTimer

ROWS, STEPS, EPOCHS = 10, 4, 2


@dataclass
class Worker:
    """Trains steps of ROWS rows; each takes a second, after a wait."""

    position: Position = field(default_factory=Position)
    steps_per_epoch: int | None = STEPS
    now: float = 100.0

    def __post_init__(self) -> None:
        self.timer = StallTimer(lambda: self.now)
        self.meter = Meter(EPOCHS, self.steps_per_epoch)
        self.meter.begin_attempt(self.position)

    def begin_epoch(self) -> None:
        self.timer.restart()
        self.meter.begin_epoch(self.position)

    def step(
        self, *, wait: float = 0.25, is_first: bool = False, saving: float = 0.0, publishes: bool = False
    ) -> dict[str, Any] | None:
        """One step, in which a checkpoint may be saved and then progress be published."""
        self.now += wait
        self.position = self.timer.batch_came(self.position, rows=ROWS, waited_seconds=wait, is_first=is_first)
        self.now += 1.0
        moved = {"step": self.position.step + 1, "epoch_step": self.position.epoch_step + 1}
        self.position = dataclasses.replace(self.position, **moved)
        if saving:
            self.save(saving)
        status = self.publish() if publishes else None
        self.position = self.timer.step_done(self.position)
        return status

    def save(self, seconds: float) -> Position:
        """What the checkpoint holds."""
        self.position = saved = self.timer.in_step(self.position)
        self.now += seconds
        self.timer.restart()
        return saved

    def publish(self) -> dict[str, Any]:
        self.position = self.timer.in_step(self.position)
        return self.meter.status(self.position, {"loss": 1.0}, {"Production": 1.0})

    def end_epoch(self, validation: float = 0.0) -> None:
        self.position = self.timer.steps_done(self.position)
        self.now += validation
        steps = self.position.epoch_step
        following = {"epoch": self.position.epoch + 1, "epoch_step": 0, "steps_per_epoch": steps}
        self.position = dataclasses.replace(self.position, **following)


def test_nothing_is_known_before_there_are_rows() -> None:
    worker = Worker()
    worker.begin_epoch()
    status = worker.publish()
    assert (status["rows_per_second"], status["recent_rows_per_second"], status["eta_seconds"]) == (None, None, None)
    assert status["recent_stall"] is None
    assert (status["percent"], status["step"], status["total_steps"]) == (0.0, 0, STEPS * EPOCHS)


def test_the_rate_is_that_of_the_epoch_so_far() -> None:
    worker = Worker()
    worker.begin_epoch()
    worker.step(wait=2.0, is_first=True)
    status = worker.step(publishes=True)
    assert status and status["rows_per_second"] == pytest.approx(2 * ROWS / 4.25)
    status = worker.step(wait=0.0, publishes=True)
    assert status and status["rows_per_second"] == pytest.approx(3 * ROWS / 5.25)
    assert status["recent_rows_per_second"] == pytest.approx(ROWS / 1.0)
    assert status["recent_seconds"] == pytest.approx(1.0)


def test_saving_a_checkpoint_in_an_epoch_does_not_lower_the_rate() -> None:
    worker = Worker()
    worker.begin_epoch()
    worker.step(is_first=True)
    status = worker.step(saving=30.0, publishes=True)
    assert status and status["rows_per_second"] == pytest.approx(ROWS / 1.25)
    status = worker.step(publishes=True)
    assert status and status["rows_per_second"] == pytest.approx(ROWS / 1.25)
    assert status["recent_rows_per_second"] == pytest.approx(ROWS / 1.25)


def test_saving_is_not_productive_and_no_stall() -> None:
    plain, saving = Worker(), Worker()
    for worker, seconds in ((plain, 0.0), (saving, 30.0)):
        worker.begin_epoch()
        worker.step(is_first=True, saving=seconds)
    assert saving.position == plain.position
    assert saving.position.productive_seconds == pytest.approx(1.0)


def test_a_status_without_rows_since_the_one_before_has_the_epochs_rate() -> None:
    worker = Worker()
    worker.begin_epoch()
    worker.step(is_first=True, publishes=True)
    status = worker.publish()
    assert status["rows_per_second"] == pytest.approx(ROWS / 1.25)
    assert (status["recent_rows_per_second"], status["recent_stall"]) == (None, None)


def test_each_epoch_has_a_rate_of_its_own_and_the_end_has_the_runs() -> None:
    worker = Worker()
    for epoch, wait in enumerate((0.25, 1.0)):
        worker.begin_epoch()
        for step in range(STEPS):
            status = worker.step(wait=wait, is_first=step == 0, publishes=step == 1)
            if status:
                assert status["rows_per_second"] == pytest.approx(ROWS / (1 + wait))
        last = worker.publish()
        assert (worker.meter.epoch(worker.position).rows, last["percent"]) == (STEPS * ROWS, 50.0 * (epoch + 1))
        assert worker.meter.epoch(worker.position).seconds == pytest.approx(STEPS * (1 + wait))
        worker.end_epoch(validation=60.0)
    assert last["rows_per_second"] == pytest.approx(2 * ROWS / (1.25 + 2.0))
    assert last["eta_seconds"] == 0


def test_a_run_whose_length_was_not_known_ends_at_100_percent() -> None:
    worker = Worker(dataclasses.replace(Position(), epoch=EPOCHS - 1), steps_per_epoch=None)
    worker.begin_epoch()
    status = worker.step(is_first=True, publishes=True)
    assert status and (status["total_steps"], status["eta_seconds"]) == (None, None)
    worker.position = dataclasses.replace(worker.position, steps_per_epoch=1)
    assert worker.publish()["percent"] == 100.0


def test_a_resumed_run_tells_the_stall_of_the_whole_run() -> None:
    first = Worker()
    first.begin_epoch()
    for step in range(STEPS - 1):
        first.step(is_first=step == 0)
    saved = first.save(5.0)
    first.step()  # lost with the worker

    second = Worker(saved, now=1000.0)
    second.begin_epoch()
    before = saved.clock.stall({})
    assert before.total_percent == pytest.approx(20.0)
    status = second.step(wait=9.0, is_first=True, publishes=True)
    assert status and status["stall"].total_percent == pytest.approx(100 * (3 * 0.25 + 9) / (3 * 1.25 + 10))
    assert status["recent_stall"].total_percent == pytest.approx(90.0)
    assert status["rows_per_second"] == pytest.approx(ROWS / 10)
    assert status["stall"].steady_percent == pytest.approx(100 * 2 * 0.25 / (2 * 0.25 + 4))
    assert status["percent"] == 50.0


def test_the_runs_mean_is_also_over_attempts_and_work_that_was_lost_counts_once() -> None:
    first = Worker()
    first.begin_epoch()
    for step in range(STEPS):
        first.step(is_first=step == 0)
    first.end_epoch()
    saved = first.save(5.0)
    first.begin_epoch()
    first.step(is_first=True)

    second = Worker(saved, now=1000.0)
    second.begin_epoch()
    for step in range(STEPS):
        second.step(wait=1.0, is_first=step == 0)
    status = second.publish()
    assert (status["rows"], status["percent"]) == (EPOCHS * STEPS * ROWS, 100.0)
    assert status["rows_per_second"] == pytest.approx(2 * ROWS / (1.25 + 2.0))


def test_time_left_is_by_the_pace_of_these_workers_and_by_optimizer_steps() -> None:
    second = Worker(Position(step=STEPS, epoch=1, steps_per_epoch=STEPS, started_at=1.0))
    second.begin_epoch()
    second.step(wait=50.0, is_first=True)
    status = second.step(publishes=True)
    # Two steps are left; one more second of computing and a quarter of waiting each, on average of these two.
    assert status and status["eta_seconds"] == pytest.approx(2 * (1.0 + 1.25) / 2)


def test_a_micro_batch_is_no_step_of_its_own() -> None:
    worker = Worker()
    worker.begin_epoch()
    for is_last in (False, True):
        worker.now += 0.5
        worker.position = worker.timer.batch_came(worker.position, rows=5, waited_seconds=0.5, is_first=not is_last)
        worker.now += 1.0
        worker.position = worker.timer.step_done(worker.position)
    worker.position = dataclasses.replace(worker.position, step=1, epoch_step=1)
    assert worker.publish()["eta_seconds"] == pytest.approx(7 * (2.0 + 0.5))


def test_time_between_epochs_is_nobodys() -> None:
    worker = Worker()
    worker.begin_epoch()
    worker.step(is_first=True)
    worker.position = worker.timer.steps_done(worker.position)
    clock = worker.position.clock
    worker.now += 500.0
    assert worker.publish()["rows_per_second"] == pytest.approx(ROWS / 1.25)
    worker.begin_epoch()
    assert worker.position.clock == clock
