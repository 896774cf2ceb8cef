"""Epochs and runs that find their slabs in the cache train on the rows that they would have prepared."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cache_samples import slab_files
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_trainer.data.bad_rows import BadRow
from trainingrun_trainer.data.caching import Caching, Loaded, cache_word, caching_of, slab_bytes_for
from trainingrun_trainer.data.consumed import ROW_ID, Consumed
from trainingrun_trainer.data.listing import Listing, list_dataset
from trainingrun_trainer.data.mixing import bundles_of
from trainingrun_trainer.data.slabs import Bundle, SlabReader, SlabReport
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.data.step import Step
from trainingrun_trainer.data.table_notes import bad_of, vanished_of
from trainingrun_trainer.data.transform import Chain
from trainingrun_trainer.failures.errors import InvalidConfiguration

ROWS, SLAB_BYTES = 3000, 8 << 10


HALF = Chain((Step("cached_functions:keep_even", "Row"),))


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    """Three files of 1,000 rows."""
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        labels = np.arange(number * 1000, (number + 1) * 1000)
        pq.write_table(pa.table({"label": labels, "value": labels / 2}), data / f"{number}.parquet")
    return list_dataset(Source("spec.recipe.dataset.train", "Parquet", str(data)))


def caching(listing: Listing, steps: Chain = HALF, *, can_write: bool = True) -> Caching:
    path = str(Path(listing.source.path).parent / "cache")
    return caching_of(
        path, listing.source, listing.inspection.layouts, steps, can_write=can_write, slab_bytes=SLAB_BYTES
    )[0]


def an_epoch(listing: Listing, cache: Caching, consumed: Consumed) -> tuple[list[Loaded], list[bool]]:
    """Every slab with rows to train on, as a data worker gets them, and which of them were found."""
    reader = SlabReader(listing.source, listing.inspection.layouts)
    slabs: list[Loaded] = []
    hits: list[bool] = []
    for bundle in bundles_of(listing.pieces):
        number, has_more = 0, True
        while has_more:
            loaded = cache.load(bundle, number, SLAB_BYTES, consumed)
            hits.append(loaded is not None)
            if loaded is None:
                report, rows = reader.read(bundle, number, SLAB_BYTES, consumed)
                loaded = cache.prepare(bundle, number, SLAB_BYTES, report, rows)
            slabs.append(loaded)
            number, has_more = number + 1, loaded.report.has_more
    return slabs, hits


def rows_of(slabs: list[Loaded]) -> pa.Table:
    return pa.concat_tables(slab.table for slab in slabs if slab.table.num_rows).combine_chunks()


def test_the_next_epoch_finds_every_slab_with_the_same_rows(listing: Listing) -> None:
    first, hits = an_epoch(listing, caching(listing), Consumed())
    again, found = an_epoch(listing, caching(listing, can_write=False), Consumed())
    assert set(hits) == {False} and set(found) == {True} and len(hits) > 5
    assert rows_of(again).equals(rows_of(first))
    assert rows_of(first).column("label").to_pylist() == list(range(0, ROWS, 2))
    for before, after in zip(first, again, strict=True):
        assert dataclasses.replace(after.report, seconds=before.report.seconds) == before.report
        assert np.array_equal(vanished_of(after.table), vanished_of(before.table))
    assert sum(slab.report.rows for slab in again) == ROWS


@pytest.mark.parametrize("used_by", [3, 1000])
def test_a_resumed_epoch_gets_only_what_is_left_whether_it_is_found_or_not(listing: Listing, used_by: int) -> None:
    ids = rows_of(an_epoch(listing, caching(listing), Consumed())[0]).column(ROW_ID).to_numpy()
    consumed = Consumed()
    consumed.add(ids[np.arange(len(ids)) % used_by == 0] if used_by < 1000 else ids[:used_by])
    kept = [*slab_files(Path(listing.source.path).parent / "cache")]
    found = rows_of(an_epoch(listing, caching(listing), consumed)[0])
    for path in kept:
        path.unlink()
    prepared, hits = an_epoch(listing, caching(listing), consumed)
    assert not any(hits)
    assert found.equals(rows_of(prepared))
    assert found.num_rows == len(ids) - consumed.rows()
    # Only whole slabs are kept.
    assert rows_of(an_epoch(listing, caching(listing), Consumed())[0]).num_rows == len(ids)


def test_a_changed_file_is_prepared_again(listing: Listing) -> None:
    an_epoch(listing, caching(listing), Consumed())
    path = Path(listing.source.path) / "1.parquet"
    changed = pq.read_table(path)
    pq.write_table(changed.set_column(1, "value", pa.array(np.zeros(1000))), path)
    again = list_dataset(Source("spec.recipe.dataset.train", "Parquet", listing.source.path))
    slabs, hits = an_epoch(again, caching(again), Consumed())
    assert rows_of(slabs).column("value").to_pylist()[500:1000] == [0.0] * 500
    assert cache_word(hits) == "Miss"


def test_what_is_random_so_rarely_that_no_sample_shows_it_ends_the_run_and_the_next_one(listing: Listing) -> None:
    chain = Chain((Step("cached_functions:rare_noise", "Row"),))
    with pytest.raises(InvalidConfiguration, match=r"cached_functions:rare_noise\): gives other results"):
        an_epoch(listing, caching(listing, chain), Consumed())
    with pytest.raises(InvalidConfiguration, match="found in an earlier run"):
        caching(listing, chain)


@pytest.mark.parametrize("is_outage", [True, False])
def test_rows_that_were_left_out_are_told_again_but_for_outages(listing: Listing, is_outage: bool) -> None:
    cache, bundle = caching(listing), Bundle(0, (listing.pieces[0],))
    report, rows = SlabReader(listing.source, listing.inspection.layouts).read(bundle, 0, SLAB_BYTES, Consumed())
    bad = BadRow(0, "0.parquet, row 0: no picture", is_outage)
    made = cache.prepare(bundle, 0, SLAB_BYTES, report, rows.slice(1), [bad])
    assert bad_of(made.table).tolist() == [0]
    found = cache.load(bundle, 0, SLAB_BYTES, Consumed())
    assert (found is None) == is_outage
    if found is not None:
        assert found.bad == made.bad and found.bad[0].text == bad.text
        assert bad_of(found.table).tolist() == [0]
        used = Consumed()
        used.add(np.zeros(1, np.int64))
        rest = cache.load(bundle, 0, SLAB_BYTES, used)
        assert rest is not None and rest.bad == () and not len(bad_of(rest.table))
        assert found.report.rows == report.rows


@given(st.integers(1, 1 << 30), st.integers(1, 1 << 24), st.floats(0.01, 1e9))
def test_a_slab_is_about_a_second_of_work(most: int, row_bytes: int, rate: float) -> None:
    size = slab_bytes_for(most, row_bytes, rate)
    assert size <= most
    assert size == most or size & (size - 1) == 0
    if 64 << 10 < size < most:
        assert 0.5 - 1e-6 <= size / row_bytes / rate <= 1
    assert slab_bytes_for(most, row_bytes, 0) == most


def test_a_word_for_an_epoch() -> None:
    words = [cache_word(outcomes) for outcomes in ([], [True, True], [False], [True, False])]
    assert words == [None, "Hit", "Miss", "Partial"]


def test_reports_are_those_of_reading(listing: Listing) -> None:
    cache = caching(listing, Chain(()))
    made = cache.prepare(
        Bundle(0, (listing.pieces[0],)), 0, SLAB_BYTES, SlabReport(4, 4, 1, False, 9.0), pa.table({ROW_ID: range(4)})
    )
    assert (made.report.rows, made.report.kept, made.report.has_more) == (4, 4, False)
    assert made.report.seconds < 9
