"""`trainingrun local` before and around its drivers: one at a time, signals, pauses, and sentences for what fails."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from run_samples import run_of

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, Notice, Record
from trainingrun_trainer.local import supervisor
from trainingrun_trainer.local.supervisor import Launch, Supervisor
from trainingrun_trainer.storage import RunStorage

ADDRESS = "127.0.0.1:6379"


class Screen:
    """A display that remembers. Once `is_closed`, it fails as a closed terminal does."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_closed = False

    def emit(self, record: Record) -> None:
        if self.is_closed:
            raise BrokenPipeError
        self.records.append(record)


class Drivers:
    """Stands in for driver processes: each ends with the next code, after what `while_it_runs` does; None is killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *codes: Exit | None):
        self.codes = list(codes)
        self.signals: list[int] = []
        self.directories: list[Path | None] = []
        self.environments: list[dict[str, str]] = []
        self.while_it_runs: Callable[[], None] = lambda: None
        self.log: list[str] = []
        self._was_killed = False
        monkeypatch.setattr(supervisor, "Driver", self._started)

    def _started(
        self, command: list[str], environment: dict[str, str], log: Path, *, waits: bool, directory: Path | None
    ) -> Drivers:
        self.directories.append(directory)
        self.environments.append(environment)
        self.log.append(f"start {command[-1]}" if waits else f"start at {environment['RAY_ADDRESS']}")
        return self

    def connect(self, address: str) -> None:
        self.log.append(f"connect {address}")

    def lines(self) -> Iterator[str]:
        self.while_it_runs()
        code = self.codes.pop(0)
        self._was_killed = code is None
        if code is None:
            return
        yield AttemptEnded(
            time=0, attempt=0, outcome=code.outcome, exit_code=int(code), message="", seconds=0
        ).to_json()

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def end(self) -> int:
        self.log.append("end")
        return -signal.SIGKILL if self._was_killed else 0


@pytest.fixture
def signals() -> Iterator[None]:
    """Puts the handlers of this process back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
def attempts(tmp_path: Path, screen: Screen, signals: None) -> Supervisor:
    launch = Launch(run_of(backoffLimit=2), RunStorage(str(tmp_path), "digits"), {}, tmp_path, is_verbose=False)
    return Supervisor(launch, screen, lambda line: None)


def sent(*numbers: int) -> Callable[[], None]:
    def send() -> None:
        for number in numbers:
            signal.raise_signal(number)

    return send


def pauses(attempts: Supervisor, while_waiting: Callable[[], None] = lambda: None) -> list[float]:
    """Have pauses pass at once; returns the list that they are written to."""
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        while_waiting()

    attempts._pause.wait = wait  # type: ignore[method-assign,assignment]
    return waited


@pytest.mark.parametrize("command", [None, ["python", "train.py"]])
def test_only_a_command_of_the_run_s_own_starts_in_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: Screen, signals: None, command: list[str] | None
) -> None:
    drivers = Drivers(monkeypatch, Exit.COMPLETE)
    own = {"recipe": None, "trainer": {"command": command}} if command else {}
    launch = Launch(
        run_of(**own), RunStorage(str(tmp_path), "digits"), {}, tmp_path, False, directory=tmp_path / "code"
    )
    Supervisor(launch, screen, lambda line: None).run(ADDRESS)
    assert drivers.directories == [tmp_path / "code" if command else None]


def test_the_python_of_a_command_is_the_one_that_runs_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, screen: Screen, signals: None
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    drivers = Drivers(monkeypatch, Exit.COMPLETE)
    run = run_of(recipe=None, trainer={"command": ["python", "-m", "train"]})
    Supervisor(Launch(run, RunStorage(str(tmp_path), "digits"), {}, tmp_path, False), screen, print).run(ADDRESS)
    assert drivers.environments[0]["PATH"] == f"{Path(sys.executable).parent}:/usr/bin"


def test_a_second_sigterm_leaves_the_driver_alone(monkeypatch: pytest.MonkeyPatch, attempts: Supervisor) -> None:
    drivers = Drivers(monkeypatch, Exit.PREEMPTED)
    drivers.while_it_runs = sent(signal.SIGTERM, signal.SIGTERM, signal.SIGHUP)
    assert attempts.run(ADDRESS) is Exit.PREEMPTED
    assert set(drivers.signals) == {signal.SIGTERM}


def test_a_closed_terminal_is_a_request_to_stop(
    monkeypatch: pytest.MonkeyPatch, attempts: Supervisor, screen: Screen
) -> None:
    drivers = Drivers(monkeypatch, Exit.PREEMPTED)
    screen.is_closed = True
    drivers.while_it_runs = sent(signal.SIGHUP)
    assert attempts.run(ADDRESS) is Exit.PREEMPTED
    assert drivers.signals == [signal.SIGTERM]


def test_a_second_interrupt_ends_at_once(monkeypatch: pytest.MonkeyPatch, attempts: Supervisor) -> None:
    drivers = Drivers(monkeypatch, Exit.ABORTED)
    drivers.while_it_runs = sent(signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        attempts.run(ADDRESS)
    assert drivers.signals == [signal.SIGINT, signal.SIGKILL]


def test_outages_are_waited_for_as_the_operator_does(
    monkeypatch: pytest.MonkeyPatch, attempts: Supervisor, screen: Screen
) -> None:
    Drivers(monkeypatch, Exit.INFRASTRUCTURE, Exit.INFRASTRUCTURE, Exit.INFRASTRUCTURE)
    waited = pauses(attempts)
    assert attempts.run(ADDRESS) is Exit.INFRASTRUCTURE
    assert waited == [10.0, 20.0]
    notices = [record.message for record in screen.records if isinstance(record, Notice)]
    assert notices[0] == "this was failure 1; trying again in 10 seconds"


def test_a_driver_that_was_killed_is_replaced_at_once_and_then_with_pauses(
    monkeypatch: pytest.MonkeyPatch, attempts: Supervisor
) -> None:
    """Nothing that must recover has killed it; but if it is killed again, something is wrong with the machine."""
    Drivers(monkeypatch, None, None, Exit.COMPLETE)
    waited = pauses(attempts)
    assert attempts.run(ADDRESS) is Exit.COMPLETE
    assert waited == [0.0, 20.0]


def test_the_first_driver_starts_before_the_cluster_and_waits_for_its_address(
    monkeypatch: pytest.MonkeyPatch, attempts: Supervisor
) -> None:
    drivers = Drivers(monkeypatch, Exit.INFRASTRUCTURE, Exit.COMPLETE)
    pauses(attempts)
    attempts.prepare()
    assert drivers.log == ["start -"]
    attempts.run(ADDRESS)
    assert drivers.log == ["start -", f"connect {ADDRESS}", "end"] * 2
    attempts.close()
    assert not drivers.signals


def test_a_driver_ends_with_a_cluster_that_has_not_come(monkeypatch: pytest.MonkeyPatch, attempts: Supervisor) -> None:
    drivers = Drivers(monkeypatch)
    attempts.prepare()
    attempts.close()
    assert (drivers.signals, drivers.log) == ([signal.SIGKILL], ["start -", "end"])


def test_a_command_of_the_runs_own_starts_once_there_is_a_cluster(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, screen: Screen, signals: None
) -> None:
    drivers = Drivers(monkeypatch, Exit.COMPLETE)
    run = run_of(trainer={"command": ["python", "train.py"]}, recipe=None)
    own = Supervisor(Launch(run, RunStorage(str(tmp_path), "own"), {}, tmp_path, is_verbose=False), screen, print)
    own.prepare()
    assert not drivers.log
    own.run(ADDRESS)
    assert drivers.log[0] == f"start at {ADDRESS}"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, Exit.ABORTED), (signal.SIGTERM, Exit.PREEMPTED)], ids=["interrupt", "term"]
)
def test_a_stop_ends_the_pause(monkeypatch: pytest.MonkeyPatch, attempts: Supervisor, number: int, code: Exit) -> None:
    Drivers(monkeypatch, Exit.INFRASTRUCTURE)
    pauses(attempts, sent(number))
    assert attempts.run(ADDRESS) is code
