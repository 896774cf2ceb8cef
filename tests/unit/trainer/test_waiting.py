"""Waiting for data counts while the device has nothing to do: what is hidden behind its work costs nothing.

The device is made by hand: work is queued in a moment and computed one after the other, as a GPU does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from trainingrun_trainer.train.checkpoint_files import Position
from trainingrun_trainer.train.progress_meter import Meter
from trainingrun_trainer.train.stall_timer import StallTimer
from trainingrun_trainer.train.waiting import Waiting

LAUNCH_SECONDS, QUEUE_SECONDS = 0.001, 0.4


@dataclass
class Gpu:
    """A device and the time. A process that has queued work for QUEUE_SECONDS waits before it can queue more."""

    now: float = 0.0
    busy_until: float = 0.0

    def is_idle(self) -> bool:
        return self.now >= self.busy_until

    def launch(self, seconds: float) -> None:
        self.now = max(self.now + LAUNCH_SECONDS, self.busy_until - QUEUE_SECONDS)
        self.busy_until = max(self.now, self.busy_until) + seconds

    def drain(self) -> None:
        self.now = max(self.now, self.busy_until)


@dataclass
class Worker:
    """Trains steps that take 100 ms on the device, each after a wait."""

    gpu: Gpu

    def __post_init__(self) -> None:
        self.timer = StallTimer(lambda: self.gpu.now)
        self.waiting = Waiting(self.gpu.is_idle, lambda: self.gpu.now)
        self.position = Position()
        self.meter = Meter(epochs=1, steps_per_epoch=100)

    def train(self, waits: list[float], step_seconds: float = 0.1) -> None:
        for place, wait in enumerate(waits):
            self.wait(wait)
            self.position = self.timer.batch_came(
                self.position, rows=1, waited_seconds=self.waiting.taken(), is_first=place == 0
            )
            self.gpu.launch(step_seconds)
            self.position = self.timer.step_done(self.position)
        self.gpu.drain()
        self.position = self.timer.steps_done(self.position)

    def wait(self, seconds: float) -> None:
        ready_at = self.gpu.now + seconds

        def is_ready(timeout: float) -> bool:
            self.gpu.now += min(timeout, max(0.0, ready_at - self.gpu.now))
            return self.gpu.now >= ready_at - 1e-9

        assert self.waiting.until(is_ready)

    @property
    def stall(self) -> float:
        return self.position.clock.stall({}).total_percent

    def goodput(self) -> float:
        self.position.started_at = time.time() - self.gpu.now
        return float(self.meter.status(self.position, {}, {})["goodput_percent"])


def test_waits_that_the_device_hides_are_no_stall() -> None:
    """100 steps of 100 ms, each after 10 ms of waiting, of which only the first, of 200 ms, was not hidden."""
    worker = Worker(Gpu())
    worker.train([0.2] + [0.01] * 99)
    assert worker.gpu.now == pytest.approx(10.2, abs=0.05)
    assert worker.stall == pytest.approx(100 * 0.2 / 10.2, abs=0.1)
    assert worker.goodput() == pytest.approx(100 * 10 / 10.2, abs=0.5)
    assert worker.position.clock.rows_per_second == pytest.approx(100 / 10.2, rel=0.01)


def test_of_a_wait_that_outlasts_the_devices_work_only_the_rest_counts() -> None:
    """Steps of 100 ms after waits of 150 ms: a third of the time the device has nothing to do."""
    worker = Worker(Gpu())
    worker.train([0.0] + [0.15] * 200)
    assert worker.stall == pytest.approx(100 / 3, abs=2)


def test_work_that_is_still_queued_when_the_epoch_ends_belongs_to_it() -> None:
    worker = Worker(Gpu())
    worker.train([0.0] * 4)
    assert worker.position.clock.computed_seconds == pytest.approx(4 * 0.1 + LAUNCH_SECONDS)
    assert worker.position.productive_seconds == pytest.approx(4 * 0.1 + LAUNCH_SECONDS)


def test_on_a_device_that_computes_at_once_all_waiting_counts() -> None:
    worker = Worker(Gpu())
    for wait in (1.0, 0.25):
        worker.wait(wait)
    assert worker.waiting.taken() == pytest.approx(1.25)
    assert worker.waiting.taken() == 0


def test_what_is_there_is_not_waited_for_and_the_device_not_asked() -> None:
    waiting = Waiting(is_idle=lambda: pytest.fail("the device was asked"))
    assert waiting.until(lambda seconds: seconds == 0)
    assert waiting.taken() == 0


def test_a_wait_ends_when_its_time_is_over() -> None:
    gpu = Gpu()

    def never(timeout: float) -> bool:
        gpu.now += timeout
        return False

    waiting = Waiting(gpu.is_idle, lambda: gpu.now)
    assert not waiting.until(never, timeout=0.5)
    assert waiting.taken() == pytest.approx(0.5)


def test_what_cannot_be_interrupted_counts_if_the_device_was_idle() -> None:
    gpu = Gpu()
    waiting = Waiting(gpu.is_idle, lambda: gpu.now)
    for busy_until in (0.0, 10.0):
        gpu.busy_until = busy_until
        waiting.during(lambda: setattr(gpu, "now", gpu.now + 1.0))
    assert waiting.taken() == pytest.approx(1.0)


def test_another_ranks_longer_wait_is_no_more_than_the_time_that_passed() -> None:
    gpu = Gpu()
    timer = StallTimer(lambda: gpu.now)
    gpu.now = 1.0
    position = timer.batch_came(Position(), rows=1, waited_seconds=5.0, is_first=False)
    assert (position.clock.seconds, position.clock.waited_seconds, position.clock.computed_seconds) == (1.0, 1.0, 0.0)
