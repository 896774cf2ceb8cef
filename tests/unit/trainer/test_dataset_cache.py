"""What a cache gives back is what was kept, whole, or nothing: whatever was killed, cut, changed or full."""

from __future__ import annotations

import copy
import os
import random
import signal
import time
from pathlib import Path

import pytest
import s3fs
from cache_samples import BUNDLE, KEY, SLAB_BYTES, cache_at, entry, slab_files
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from trainingrun_trainer.data.cache import Cache
from trainingrun_trainer.data.cache_entry import NotThisEntry, from_bytes, to_bytes
from trainingrun_trainer.failures.errors import InvalidConfiguration

WHOLE = b"".join(to_bytes(entry(), KEY, "one"))


def test_a_kept_slab_comes_back_as_it_was(tmp_path: Path) -> None:
    cache = cache_at(tmp_path)
    assert cache.load(BUNDLE, 0, SLAB_BYTES) is None
    assert cache.store(BUNDLE, 0, SLAB_BYTES, entry(0)) == slab_files(tmp_path)[0].stat().st_size
    cache.store(BUNDLE, 1, SLAB_BYTES, entry(1))
    found = cache_at(tmp_path, can_write=False).load(BUNDLE, 1, SLAB_BYTES)
    assert found == entry(1)
    assert found.table.schema.equals(entry(1).table.schema, check_metadata=True)
    assert cache.load(BUNDLE, 1, SLAB_BYTES // 2) is None
    assert cache.take_notices() == ()


@settings(max_examples=200)
@given(st.data())
def test_no_byte_can_be_cut_or_changed(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(WHOLE) - 1))
    changed = bytearray(WHOLE)
    changed[place] ^= 1 << data.draw(st.integers(0, 7))
    rest = WHOLE[place:] if place else b""
    for damaged in (bytes(changed), WHOLE[:place], rest, WHOLE[:place] + bytes(len(WHOLE) - place)):
        with pytest.raises(NotThisEntry):
            from_bytes(damaged, KEY, "one")


@pytest.mark.parametrize(("key", "name"), [("f" * 32, "one"), (KEY, "other")])
def test_another_slab_under_this_name_is_none(key: str, name: str) -> None:
    with pytest.raises(NotThisEntry, match="it is one of"):
        from_bytes(WHOLE, key, name)


def test_a_damaged_file_is_a_miss_with_a_notice_and_is_written_again(tmp_path: Path) -> None:
    cache = cache_at(tmp_path)
    cache.store(BUNDLE, 0, SLAB_BYTES, entry())
    (path,) = slab_files(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    assert cache.load(BUNDLE, 0, SLAB_BYTES) is None
    (notice,) = cache.take_notices()
    assert path.name in notice and "cut off" in notice
    cache.store(BUNDLE, 0, SLAB_BYTES, entry())
    assert cache.load(BUNDLE, 0, SLAB_BYTES) == entry()


@pytest.mark.parametrize("kills", [40, pytest.param(1000, marks=pytest.mark.extended)])
def test_a_writer_may_be_killed_at_any_moment(tmp_path: Path, kills: int) -> None:
    chance = random.Random(0)
    large = [entry(number, 4_000) for number in range(3)]
    found = 0
    for kill in range(kills):
        folder = tmp_path / str(kill // 10)
        # Every fourth one is still writing when it is killed, however quick the disk is.
        never_renames = kill % 4 == 3
        left = len(list(folder.rglob("*.part")))
        child = os.fork()
        if not child:
            if never_renames:
                LocalFileSystem.mv = lambda *_: signal.pause()
            cache = cache_at(folder)
            while True:
                for number, one in enumerate(large):
                    cache.store(BUNDLE, number, SLAB_BYTES, one)
        while not (len(list(folder.rglob("*.part"))) > left if never_renames else any(folder.rglob("*.*"))):
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.003))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        cache = cache_at(folder)
        for number, one in enumerate(large):
            kept = cache.load(BUNDLE, number, SLAB_BYTES)
            assert kept is None or kept == one
            found += kept is not None
        assert cache.take_notices() == ()
    assert found and len(list(tmp_path.rglob("*.part"))) >= kills // 4


def test_what_killed_writers_left_is_removed_hours_later(tmp_path: Path) -> None:
    cache_at(tmp_path).store(BUNDLE, 0, SLAB_BYTES, entry())
    (path,) = slab_files(tmp_path)
    old, new = path.with_name("old.part"), path.with_name("new.part")
    for part in (old, new):
        part.touch()
    os.utime(old, (time.time() - 7 * 3600,) * 2)
    cache_at(tmp_path).store(BUNDLE, 0, SLAB_BYTES, entry())
    assert sorted(path.parent.iterdir()) == sorted([path, new])


def test_a_folder_that_cannot_be_written_any_more_stops_only_writing(tmp_path: Path) -> None:
    cache = cache_at(tmp_path)
    cache.store(BUNDLE, 0, SLAB_BYTES, entry())
    path = slab_files(tmp_path)[0]
    kept = path.read_bytes()
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("a file where the folder was")
    assert cache.store(BUNDLE, 0, SLAB_BYTES, entry()) == 0
    assert "Training goes on" in cache.take_notices()[0]
    assert not cache.is_writing
    path.parent.unlink()
    path.parent.mkdir()
    path.write_bytes(kept)
    assert cache.load(BUNDLE, 0, SLAB_BYTES) == entry()
    assert cache.store(BUNDLE, 1, SLAB_BYTES, entry(1)) == 0
    assert cache.take_notices() == ()


def test_a_store_that_is_away_is_not_asked_for_ever(tmp_path: Path) -> None:
    cache = cache_at(tmp_path)
    for slab in range(3):
        cache.store(BUNDLE, slab, SLAB_BYTES, entry(slab))
    for path in slab_files(tmp_path):
        path.unlink()
        path.mkdir()
    assert [cache.load(BUNDLE, slab, SLAB_BYTES) for slab in (0, 1, 2)] == [None] * 3
    assert "No more is looked for" in cache.take_notices()[-1]
    assert cache.load(BUNDLE, 0, SLAB_BYTES) is None
    assert cache.take_notices() == ()


def test_the_first_run_chooses_the_size_of_slabs(tmp_path: Path) -> None:
    assert cache_at(tmp_path).open({"steps": []}, 4096) == 4096
    assert cache_at(tmp_path).open({"steps": []}, 8192) == 4096
    (tmp_path / KEY / "settings.json").write_text("{")
    assert cache_at(tmp_path).open({"steps": []}, 8192) == 8192


def test_a_refused_cache_stays_refused(tmp_path: Path) -> None:
    cache_at(tmp_path).open({}, 4096)
    cache_at(tmp_path).refuse("transforms[0] is random")
    with pytest.raises(InvalidConfiguration, match=r"^transforms\[0\] is random .found in an earlier run"):
        cache_at(tmp_path).open({}, 4096)


def test_a_path_that_cannot_be_used_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, can_write in ((tmp_path / "file", True), (tmp_path / "nowhere", False), ("nosuch://bucket", True)):
        with pytest.raises(InvalidConfiguration, match=r"^spec\.recipe\.dataset\.cache\.path: .* cannot be used: "):
            cache_at(path, can_write=can_write).open({}, 4096)
    assert not (tmp_path / "nowhere").exists()


def test_a_cache_can_lie_in_an_object_store(store: s3fs.S3FileSystem) -> None:
    cache: Cache = copy.deepcopy(cache_at("s3://bucket/cache"))  # as it travels
    assert cache.open({}, 4096) == 4096
    assert cache.load(BUNDLE, 0, SLAB_BYTES) is None
    cache.store(BUNDLE, 0, SLAB_BYTES, entry())
    assert cache.load(BUNDLE, 0, SLAB_BYTES) == entry()
    assert len(store.find("bucket/cache")) == 2
    assert cache.take_notices() == ()
