"""Who gets a run's folder: at once where nobody can be writing, after silence where somebody may, and else not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from run_samples import run_of
from saver_samples import save_at

from trainingrun.contract.exits import Exit
from trainingrun_trainer.driver.event_log import EventLog, next_attempt
from trainingrun_trainer.driver.folder_hold import STALE_SECONDS, FolderHold, Waiting, folder_held
from trainingrun_trainer.failures.errors import FolderTaken
from trainingrun_trainer.storage import RunStorage
from trainingrun_trainer.train.checkpointing import Saver
from trainingrun_trainer.train.folder_owner import OWNER_FILE, Owner, read, write

OTHER = Owner(fence="t", number=4, uid="other", namespace="vision", name="old", attempt=2, grace_seconds=60)


class Time:
    """A clock that waiting moves, with what happens at each look."""

    def __init__(self, at_each_look: Callable[[float], None] = lambda now: None, stop_at: float = 1e9):
        self.now, self.told = 1000.0, list[str]()
        self._at_each_look = at_each_look
        self._stop_at = 1000 + stop_at

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self._at_each_look(self.now)

    def waiting(self) -> Waiting:
        return Waiting(self.told.append, lambda: self.now >= self._stop_at, lambda: self.now, self.sleep)

    @property
    def waited(self) -> float:
        return self.now - 1000


def run(uid: str = "mine", run_name: str | None = "digits") -> Any:
    storage = {"uri": "s3://bucket/runs", **({"runName": run_name} if run_name else {})}
    return run_of(metadata={"uid": uid, "namespace": "training"}, storage=storage)


def renews(storage: RunStorage, until: float = 1e9) -> Callable[[float], None]:
    """The other driver lives until then."""

    def look(now: float) -> None:
        if now < 1000 + until:
            write(storage, dataclasses.replace(OTHER, renewed=str(now // 10)))

    return look


def test_a_new_folder_is_taken_at_once_and_left_to_others(storage: RunStorage) -> None:
    time = Time()
    with folder_held(run(), storage, 0, time.waiting()) as hold:
        owner, _ = read(storage)
        assert owner is not None and (owner.uid, owner.attempt, owner.number) == ("mine", 0, 0)
        assert (owner.fence, owner.is_gone, hold.number) == (hold.fence, False, 0)
    left, _ = read(storage)
    assert left is not None and left.is_gone
    with folder_held(run("next"), storage, 0, time.waiting()) as hold:
        assert hold.number == 1
    assert (time.waited, time.told) == (0, [])


def test_a_folder_of_the_run_s_own_has_no_owner(storage: RunStorage) -> None:
    with folder_held(run(run_name=None), storage, 3, Time().waiting()) as hold:
        assert (hold.number, hold.fence, hold.lost) == (3, None, None)
    assert storage.list_files("") == []


def test_a_folder_that_had_an_owner_is_taken_by_its_own_run_too(storage: RunStorage) -> None:
    write(storage, dataclasses.replace(OTHER, is_gone=True))
    with folder_held(run(run_name=None), storage, 3, Time().waiting()) as hold:
        assert hold.number == 5 and hold.fence is not None


@pytest.mark.parametrize(("attempt", "number"), [(2, 4), (3, 5)], ids=["a head that starts again", "the next attempt"])
def test_a_run_follows_itself_without_waiting(storage: RunStorage, attempt: int, number: int) -> None:
    write(storage, dataclasses.replace(OTHER, uid="mine"))
    time = Time()
    with folder_held(run(), storage, attempt, time.waiting()) as hold:
        assert (hold.number, time.waited) == (number, 0)


def test_a_run_never_follows_a_later_attempt_of_itself(storage: RunStorage) -> None:
    write(storage, dataclasses.replace(OTHER, uid="mine"))
    with pytest.raises(FolderTaken), folder_held(run(), storage, 1, Time().waiting()):
        pass


@pytest.mark.parametrize(
    "text", ["{", json.dumps({"fence": 1}), json.dumps({**dataclasses.asdict(OTHER), "grace_seconds": "x"})]
)
def test_a_damaged_file_is_waited_for_as_a_driver_that_is_dead(storage: RunStorage, text: str) -> None:
    storage.write_text(OWNER_FILE, text)
    time = Time()
    with folder_held(run(), storage, 0, time.waiting()):
        assert time.waited >= STALE_SECONDS


def test_a_dead_driver_is_followed_once_its_file_has_been_silent(storage: RunStorage) -> None:
    """Whatever the time in it: the clock of who wrote it may be days ahead."""
    write(storage, dataclasses.replace(OTHER, renewed="2199-01-01T00:00:00+00:00"))
    time = Time()
    with folder_held(run(), storage, 0, time.waiting()) as hold:
        assert (hold.number, time.waited) == (5, STALE_SECONDS)
    (told,) = time.told
    assert "run vision/old (other), attempt 2" in told and "60 seconds" in told


def test_a_driver_that_is_being_ended_is_waited_for(storage: RunStorage) -> None:
    write(storage, OTHER)
    time = Time(renews(storage, until=60))
    with folder_held(run(), storage, 0, time.waiting()) as hold:
        assert hold.number == 5 and 60 + STALE_SECONDS - 12 <= time.waited <= 60 + STALE_SECONDS


def test_a_driver_that_lives_is_not_followed(storage: RunStorage) -> None:
    write(storage, OTHER)
    time = Time(renews(storage))
    with pytest.raises(FolderTaken) as error, folder_held(run(), storage, 0, time.waiting()):
        pass
    assert time.waited == OTHER.grace_seconds + 2 * STALE_SECONDS
    assert str(error.value).startswith(f"spec.storage: found {storage.location} in use by run vision/old (other)")
    owner, _ = read(storage)
    assert owner is not None and owner.fence == "t"


def test_a_stop_ends_the_wait_and_takes_nothing(storage: RunStorage) -> None:
    write(storage, OTHER)
    with folder_held(run(), storage, 0, Time(stop_at=10).waiting()) as hold:
        assert hold.fence is None
    assert read(storage)[0] == OTHER


def test_a_driver_notices_that_it_was_followed(storage: RunStorage) -> None:
    hold = FolderHold(storage, 4, OTHER)
    hold.renew()
    assert hold.lost is None
    write(storage, dataclasses.replace(OTHER, fence="u", uid="next", name="new"))
    hold.renew()
    assert hold.lost is not None and hold.lost.exit is Exit.INVALID_CONFIG
    assert "vision/new" in hold.lost.text
    hold.release()
    owner, _ = read(storage)
    assert owner is not None and (owner.fence, owner.is_gone) == ("u", False)


def test_attempts_in_a_folder_count_on(storage: RunStorage) -> None:
    EventLog(storage, 6).close()
    write(storage, OTHER)
    assert next_attempt(storage) == 5
    storage.write_text("progress/attempt-0007.jsonl", "")
    assert next_attempt(storage) == 8


@pytest.mark.parametrize("fence", [None, "s"])
def test_no_checkpoint_becomes_whole_in_another_s_folder(
    saver: Callable[..., Saver], storage: RunStorage, fence: str | None
) -> None:
    mine = saver(fence=fence)
    if fence is not None:
        write(storage, dataclasses.replace(OTHER, fence=fence))
    save_at(mine, 10, best=True)
    write(storage, OTHER)
    for save in (lambda: save_at(mine, 20), lambda: mine.keep_best({"loss": 0.1})):
        with pytest.raises(FolderTaken, match="vision/old"):
            save()
    restored = saver(fence="t").restore()
    assert restored is not None and restored.position.step == 10
