"""`trainingrun local` before and around its drivers: one at a time, signals, pauses, and sentences for what fails."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from run_samples import run_of

from trainingrun.cli import main
from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, Notice, Record, parse_line
from trainingrun_trainer.failures.errors import InvalidConfiguration, NodesLost
from trainingrun_trainer.local import __main__ as program
from trainingrun_trainer.local import place, supervisor
from trainingrun_trainer.local.kept.__main__ import main as stop_kept
from trainingrun_trainer.local.lock import only_one
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
        self.while_it_runs: Callable[[], None] = lambda: None
        self.log: list[str] = []
        self._was_killed = False
        monkeypatch.setattr(supervisor, "Driver", self._started)

    def _started(self, command: list[str], environment: dict[str, str], log: Path, *, waits: bool) -> Drivers:
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


def test_a_second_program_on_the_same_run_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with only_one(tmp_path / "digits" / "local"):
        with pytest.raises(InvalidConfiguration, match=f"trains this run \\(process {os.getpid()}\\), allowed: one"):
            with only_one(tmp_path / "digits" / "local"):
                pytest.fail("two at a time")
        with only_one(tmp_path / "letters" / "local"):
            pass
    with only_one(tmp_path / "digits" / "local"):
        pass


def in_a_file(place: Path, **spec: object) -> str:
    file = place / "run.yaml"
    file.write_text(yaml.safe_dump(run_of(**spec).to_document()))
    return str(file)


def test_a_directory_that_cannot_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also as root, for whom every directory can be written: what must be a directory is a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".trainingrun").write_text("")
    claim = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/absent"}}
    for storage in (claim, {"uri": "s3://bucket/runs"}):
        assert program.main([in_a_file(tmp_path, storage=storage)]) == 12
        message = capsys.readouterr().err
        assert ": found a directory that cannot be written (" in message
        assert "allowed: one that can" in message and message.count("\n") == 1


def test_a_cluster_that_does_not_start_is_an_outage_with_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def none(size: object) -> Iterator[str]:
        raise NodesLost("Ray's node head did not start")
        yield

    monkeypatch.setattr(place, "virtual_cluster", none)
    monkeypatch.setattr(place, "settle_environment", lambda: None)  # it would be that of this process
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    file = in_a_file(tmp_path, storage={"uri": f"file://{tmp_path}"})
    assert program.main([file, "--json"]) == 14
    last = parse_line(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(last, AttemptEnded)
    assert (last.exit_code, last.message) == (14, "Ray's node head did not start")


def test_a_second_file_is_refused(tmp_path: Path) -> None:
    file = in_a_file(tmp_path)
    result = CliRunner().invoke(main, ["local", "-f", file, "-f", file])
    assert result.exit_code == 2
    assert "one file at a time" in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--trainers", "2"], "--debug trains in one process: found --trainers 2, allowed: 1."),
        (["--address", "here:6379"], "leave --address out."),
        (["--data-cpus", "1"], "leave --data-cpus out."),
        (["--explain"], "--debug trains and --explain does not: choose one of them."),
        (["--keep"], "--debug starts no Ray cluster that could be kept: leave --keep out."),
    ],
)
def test_what_one_process_cannot_do_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["local", "-f", in_a_file(tmp_path), "--debug", *options])
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--keep", "0"], "0 is not in the range 1<=x<=1440."),
        (["--keep", "5", "--address", "here:6379"], "--address trains on a cluster that stays anyway"),
        (["--keep", "--explain"], "--explain starts no Ray cluster that could be kept: leave --keep out."),
    ],
)
def test_keeping_what_is_not_there_is_refused(tmp_path: Path, options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["local", "-f", in_a_file(tmp_path), *options])
    assert result.exit_code == 2
    assert said in result.output


def test_there_may_be_nothing_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert stop_kept() == 1
    assert capsys.readouterr().err == "no cluster is kept: there is nothing to stop\n"
    assert not list(tmp_path.iterdir())
