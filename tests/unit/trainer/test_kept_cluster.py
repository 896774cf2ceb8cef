"""What is kept for the next run: found only by its user, used by one run at a time, and gone with whoever keeps it."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.local.kept import client
from trainingrun_trainer.local.kept.client import Found
from trainingrun_trainer.local.kept.folder import known_folder, private_folder
from trainingrun_trainer.local.kept.offer import Offer, State, offer_of, read_state
from trainingrun_trainer.local.machine import Size

SIZE = Size(
    trainers=1,
    trainer_nodes=1,
    cpus_per_trainer=1,
    gpus_per_trainer=0,
    data_nodes=1,
    data_cpus=1,
    object_store_bytes=128 << 20,
)
OFFER = offer_of(SIZE, "/work", "/bin/python", "packages", {"A": "1"})


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of this user is below `tmp_path`, and keepers are plain ones, ended in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    keeper = Path(__file__).with_name("plain_keeper.py")
    monkeypatch.setattr(client, "_KEEPER", (sys.executable, str(keeper)))
    yield tmp_path / f"trainingrun-{os.getuid()}"
    client.stop()


def keeper() -> int:
    folder = known_folder()
    assert folder is not None
    state = read_state(folder.state.read_text())
    assert state is not None
    return state.keeper


def found(offer: Offer = OFFER) -> Found:
    kept, why = client.find(offer)
    assert kept is not None, why
    return kept


def soon(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits for nobody to ask how it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_run_has_the_driver_that_waits_with_its_own_environment_and_files(tmp_path: Path) -> None:
    assert client.keep(OFFER, 60)
    kept = found()
    assert kept.has_driver
    driver = kept.drive({"SAYS": "hello"}, tmp_path / "log")
    (line,) = driver.lines()
    assert line.split()[1:] == [kept.address, "hello"]
    assert driver.end() == 13
    assert (tmp_path / "log").read_text() == "an error\n"
    kept.close()


def test_the_next_run_gets_another_cluster_and_another_driver(tmp_path: Path) -> None:
    """Nothing that a run has left in its processes may be there in the next."""
    client.keep(OFFER, 60)
    seen = []
    for _ in range(2):
        kept = found()
        driver = kept.drive({"SAYS": "x"}, tmp_path / "log")
        seen.append(next(line.split()[:2] for line in driver.lines()))
        driver.end()
        kept.close()
    assert seen[0][0] != seen[1][0] and seen[0][1] != seen[1][1]


def test_a_signal_ends_the_run_and_not_the_keeper(tmp_path: Path) -> None:
    client.keep(OFFER, 60)
    kept = found()
    driver = kept.drive({"SAYS": "x", "SLEEPS": "1"}, tmp_path / "log")
    lines = driver.lines()
    next(lines)
    driver.signal(signal.SIGINT)
    assert driver.end() == 10
    kept.close()
    found().close()


def test_one_run_at_a_time() -> None:
    client.keep(OFFER, 60)
    kept = found()
    assert client.find(OFFER) == (None, client.IN_USE)
    kept.close()
    found().close()


def test_a_run_that_is_gone_leaves_no_driver(tmp_path: Path) -> None:
    client.keep(OFFER, 60)
    kept = found()
    driver = kept.drive({"SAYS": "x", "SLEEPS": "1"}, tmp_path / "log")
    pid = int(next(driver.lines()).split()[0])
    kept.close()
    assert soon(lambda: has_ended(pid))


def test_a_keeper_that_is_killed_takes_all_with_it(tmp_path: Path) -> None:
    """And what it has left in the folder is no cluster."""
    client.keep(OFFER, 60)
    kept = found()
    driver = kept.drive({"SAYS": "x", "SLEEPS": "1"}, tmp_path / "log")
    pid = int(next(driver.lines()).split()[0])
    os.kill(keeper(), signal.SIGKILL)
    assert driver.end() == -signal.SIGKILL
    assert soon(lambda: has_ended(pid) and has_ended(int(kept.address)))
    kept.close()
    assert client.find(OFFER) == (None, None)
    assert client.stop() is None
    assert client.keep(OFFER, 60)


def test_a_cluster_that_has_lost_a_process_is_not_used() -> None:
    client.keep(OFFER, 60)
    pid = keeper()
    assert soon(lambda: bool(_sleepers(pid)))
    os.kill(_sleepers(pid)[0], signal.SIGKILL)
    assert soon(lambda: has_ended(pid))
    assert client.find(OFFER) == (None, None)


def _sleepers(parent: int) -> list[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text() == "sleep\n"]


def test_it_ends_by_itself_when_nobody_comes() -> None:
    client.keep(OFFER, 0.5)
    pid = keeper()
    assert soon(lambda: has_ended(pid))
    assert client.find(OFFER) == (None, None)


def test_a_run_may_have_it_kept_for_longer() -> None:
    client.keep(OFFER, 3)
    kept = found()
    kept.keep(60)
    kept.close()
    time.sleep(3.5)
    assert client.stop() == "the kept cluster has ended"


def test_stopping_ends_it_and_says_so() -> None:
    assert client.stop() is None
    client.keep(OFFER, 60)
    pid = keeper()
    assert client.stop() == "the kept cluster has ended"
    assert has_ended(pid)
    assert client.find(OFFER) == (None, None)


def test_stopping_lets_a_run_go_on_to_its_end(tmp_path: Path) -> None:
    client.keep(OFFER, 60)
    pid = keeper()
    kept = found()
    assert client.stop() == "a run uses the kept cluster, which ends with that run"
    driver = kept.drive({"SAYS": "still here"}, tmp_path / "log")
    assert [line.partition(" ")[2] for line in driver.lines()] == [f"{kept.address} still here"]
    kept.close()
    assert soon(lambda: has_ended(pid))


def test_only_one_is_kept() -> None:
    assert client.keep(OFFER, 60)
    assert not client.keep(OFFER, 60)


def test_one_that_does_not_fit_is_left_and_the_reason_given() -> None:
    client.keep(OFFER, 60)
    other = offer_of(SIZE, "/elsewhere", "/bin/python", "packages", {"A": "1"})
    assert client.find(other) == (None, "it was started in /work, and this run in /elsewhere")
    found().close()


def test_nobody_else_can_use_the_folder(place: Path) -> None:
    private_folder()
    assert place.stat().st_mode & 0o777 == 0o700
    place.chmod(0o755)
    with pytest.raises(InvalidConfiguration, match="mode 755, allowed: a folder that only you can use"):
        client.find(OFFER)
    place.chmod(0o700)


def test_a_link_is_no_folder_of_ones_own(place: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir(mode=0o700)
    place.symlink_to(tmp_path / "theirs")
    with pytest.raises(InvalidConfiguration, match="allowed: a folder that only you can use"):
        private_folder()
    place.unlink()


def test_what_another_version_has_written_is_no_state() -> None:
    written = State(7, OFFER).to_json()
    assert read_state(written) == State(7, OFFER)
    for text in ("", "{}", '{"keeper": 7}', written[:-9], written.replace('"trainers"', '"workers"')):
        assert read_state(text) is None
