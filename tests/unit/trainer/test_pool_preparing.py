"""What data workers do before the author's code: pictures are decoded, bad rows left out, and slabs kept in a cache."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pool_by_hand import KEY, SHUFFLED, Ref, run

from trainingrun_trainer.data.cached_steps import split
from trainingrun_trainer.data.caching import caching_of
from trainingrun_trainer.data.consumed import ROW_ID, Consumed
from trainingrun_trainer.data.listing import Listing, list_dataset
from trainingrun_trainer.data.source import Source, Uses
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.table_notes import bad_of, vanished_of
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.pool.dispatcher import Dispatcher
from trainingrun_trainer.pool.pass_plans import Pool, dataset_of, with_cache
from trainingrun_trainer.pool.sizing import Limits
from trainingrun_trainer.pool.tasks import PassKey

ROWS = 300
CALLS: list[int] = []


def doubled(batch: dict[str, Any]) -> dict[str, Any]:
    """A deterministic step that counts its rows."""
    CALLS.append(len(batch["label"]))
    return {**batch, "label": batch["label"] * 2}


def augmented(batch: dict[str, Any], seeds: Any) -> dict[str, Any]:
    """A random step, which no cache may keep."""
    return {**batch, "noise": np.asarray(seeds, np.int64)}


def without_odd(row: dict[str, Any]) -> dict[str, Any] | None:
    """A filter."""
    return row if row["label"] % 2 == 0 else None


def listing_of(folder: Path, bad: set[int], *, skips: bool) -> Listing:
    def picture(number: int) -> bytes:
        out = io.BytesIO()
        Image.new("L", (4, 4), number % 256).save(out, "PNG")
        return b"no picture" if number in bad else out.getvalue()

    table = pa.table({"image": [picture(i) for i in range(ROWS)], "label": np.arange(ROWS)})
    pq.write_table(table, folder / "a.parquet", 100)
    uses = Uses(gets_batches=True)
    return list_dataset(
        Source("spec.recipe.dataset.train", "Parquet", str(folder), (4, 4), "L", uses=uses, skips_bad_rows=skips)
    )


def pool_of(
    listing: Listing, *functions: str, kinds: str = "Batch", share: float = 0.0, cache: Path | None = None
) -> Pool:
    chain = Chain(tuple(Step(f"{__name__}:{function}", kinds) for function in functions))
    dataset = dataset_of(listing, chain if functions else None, shuffle=True, rows_together=0, max_bad_share=share)
    if cache is not None:
        caching, slab_bytes = caching_of(
            str(cache),
            listing.source,
            listing.inspection.layouts,
            split(chain)[0],
            can_write=True,
            slab_bytes=dataset.mixing.slab_bytes,
        )
        dataset = with_cache(dataset, caching, slab_bytes)
    return Pool({"train": dataset}, 1, options={"num_cpus": 1}, limits=Limits(1, 1, 5.0))


async def tables_of(pool: Dispatcher, key: PassKey, epoch: Any = SHUFFLED, consumed: bytes = b"") -> list[pa.Table]:
    pool.begin(key, epoch, consumed)
    tables: list[pa.Table] = []
    while True:
        given = await pool.take(key, 0)
        units: dict[int, Ref] = dict(given.units)
        for number in sorted(units):
            pool.took(key, 0, number)
            tables.append(units[number].value)
        if given.error is not None:
            raise given.error
        if given.has_ended:
            return tables


def rows_of(tables: list[pa.Table]) -> dict[int, tuple[int, int]]:
    """By row id: the label, and the picture's first pixel."""
    return {
        row: (label, image[0])
        for table in tables
        for row, label, image in zip(
            *(table.column(name).to_pylist() for name in (ROW_ID, "label", "image")), strict=True
        )
    }


def played(monkeypatch: pytest.MonkeyPatch, pool: Pool, passes: int = 1) -> tuple[list[list[pa.Table]], list[str]]:
    told: list[str] = []

    async def story(dispatcher: Dispatcher) -> list[list[pa.Table]]:
        dispatcher._ledger._tallies._notify = lambda level, message: told.append(f"{level}: {message}")
        return [
            await tables_of(
                dispatcher, dataclasses.replace(KEY, number=number), dataclasses.replace(SHUFFLED, number=number)
            )
            for number in range(passes)
        ]

    return run(monkeypatch, pool, lambda method, worker: None, story), told


def test_pictures_are_decoded_where_units_are_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ((tables,), told) = played(monkeypatch, pool_of(listing_of(tmp_path, set(), skips=False), "doubled"))
    found = rows_of(tables)
    assert len(found) == ROWS
    assert {(label // 2 % 256, pixel) for label, pixel in found.values()} == {(i % 256, i % 256) for i in range(ROWS)}
    assert told == []


@pytest.mark.parametrize("is_cached", [False, True])
def test_bad_rows_are_left_out_told_and_used_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_cached: bool
) -> None:
    bad = {5, 120, 299}
    pool = pool_of(
        listing_of(tmp_path, bad, skips=True), "doubled", share=0.01, cache=tmp_path / "cache" if is_cached else None
    )
    epochs, told = played(monkeypatch, pool, passes=2)
    for tables in epochs:
        found, left_out = rows_of(tables), np.concatenate([bad_of(table) for table in tables]).tolist()
        assert len(found) == ROWS - len(bad)
        assert {label // 2 for label, _ in found.values()} == set(range(ROWS)) - bad
        assert len(left_out) == len(set(left_out)) == len(bad)
        assert not set(left_out) & found.keys()
    warnings = [each for each in told if each.startswith("Warning")]
    assert len({each.partition("left out")[0] for each in warnings}) == 1
    assert "3 rows were left out" in warnings[0] and "row 5" in warnings[0] + warnings[-1]


@pytest.mark.parametrize("is_cached", [False, True])
def test_a_resumed_epoch_tells_of_each_bad_row_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_cached: bool
) -> None:
    """Those that were told of in what was taken before do not come again, and the others do."""
    bad = {5, 6, 50, 120, 121, 200, 299}
    pool = pool_of(
        listing_of(tmp_path, bad, skips=True), "doubled", share=0.1, cache=tmp_path / "cache" if is_cached else None
    )

    async def story(dispatcher: Dispatcher) -> list[list[pa.Table]]:
        whole = await tables_of(dispatcher, KEY)
        # Up to the first unit that has told of some: a prepared window's are all told with its first one.
        taken = whole[: next(place for place, table in enumerate(whole) if len(bad_of(table))) + 1]
        used = Consumed()
        for table in taken:
            used.add(np.concatenate([table.column(ROW_ID).to_numpy(), bad_of(table)]))
        rest = await tables_of(dispatcher, dataclasses.replace(KEY, generation=2), consumed=used.to_bytes())
        return [whole, taken, rest]

    whole, taken, rest = (
        [row for table in tables for row in bad_of(table).tolist()]
        for tables in run(monkeypatch, pool, lambda method, worker: None, story)
    )
    assert taken and sorted([*taken, *rest]) == sorted(whole)
    assert len(whole) == len(bad)


@pytest.mark.parametrize("is_cached", [False, True])
def test_more_bad_rows_than_allowed_end_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_cached: bool
) -> None:
    pool = pool_of(
        listing_of(tmp_path, {5, 120, 299}, skips=True), share=0.005, cache=tmp_path / "cache" if is_cached else None
    )
    with pytest.raises(DataError, match=r"left out.*maxShare allows 0\.005 of 300 rows"):
        played(monkeypatch, pool)


def test_a_second_epoch_and_a_second_run_prepare_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    CALLS.clear()
    listing = listing_of(tmp_path, set(), skips=False)
    pool = pool_of(listing, "doubled", "augmented", cache=tmp_path / "cache")
    (first, second), told = played(monkeypatch, pool, passes=2)
    prepared = sum(CALLS)
    assert prepared >= ROWS  # and a few of them again, to see that they come out alike
    (third,), later = played(monkeypatch, pool_of(listing, "doubled", "augmented", cache=tmp_path / "cache"))
    assert sum(CALLS) == prepared
    assert rows_of(first) == rows_of(second) == rows_of(third)
    noises = [
        dict(zip(*(pa.concat_tables(tables).column(n).to_pylist() for n in (ROW_ID, "noise")), strict=True))
        for tables in (first, second, third)
    ]
    assert noises[0] == noises[2]  # the same epoch of another run with this seed
    assert all(noises[0][row] != noises[1][row] for row in noises[0])
    assert ["had none" in told[0], "had all" in told[1], "had all" in later[0]] == [True, True, True]


def test_the_word_for_the_cache_is_that_of_the_newest_pass_that_has_begun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pool = pool_of(listing_of(tmp_path, set(), skips=False), "doubled", cache=tmp_path / "cache")
    following, later = dataclasses.replace(KEY, number=1), dataclasses.replace(SHUFFLED, number=1)

    async def story(dispatcher: Dispatcher) -> list[str | None]:
        words = [dispatcher.cache_word]
        dispatcher.prepare_ahead(KEY, SHUFFLED)
        await asyncio.sleep(0.05)
        words.append(dispatcher.cache_word)
        # A new generation of ranks takes over what was prepared for the one before.
        await tables_of(dispatcher, dataclasses.replace(KEY, generation=2))
        words.append(dispatcher.cache_word)
        dispatcher.prepare_ahead(dataclasses.replace(following, generation=2), later)
        await asyncio.sleep(0.05)
        words.append(dispatcher.cache_word)
        await tables_of(dispatcher, dataclasses.replace(following, generation=2), later)
        return [*words, dispatcher.cache_word]

    assert run(monkeypatch, pool, lambda method, worker: None, story) == [None, None, "Miss", "Miss", "Hit"]
    without = pool_of(listing_of(tmp_path, set(), skips=False), "doubled")

    async def plain(dispatcher: Dispatcher) -> str | None:
        await tables_of(dispatcher, KEY)
        return dispatcher.cache_word

    assert run(monkeypatch, without, lambda method, worker: None, plain) is None


def test_rows_that_a_kept_filter_drops_count_as_used_in_every_epoch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pool = pool_of(listing_of(tmp_path, set(), skips=False), "without_odd", kinds="Row", cache=tmp_path / "cache")
    epochs, _ = played(monkeypatch, pool, passes=2)
    for tables in epochs:
        vanished = np.concatenate([vanished_of(table) for table in tables]).tolist()
        kept = [row for table in tables for row in table.column(ROW_ID).to_pylist()]
        assert len(kept) == ROWS // 2
        assert len(set(kept) | set(vanished)) == len(kept) + len(vanished) == ROWS
