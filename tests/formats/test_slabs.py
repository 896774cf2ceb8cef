"""Slabs of every format: the same rows whoever reads them and whatever is used, each of them once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import FORMATS, Reading, pieces_of, reading_of, source_of

from trainingrun_trainer.data import slabs
from trainingrun_trainer.data.consumed import ROW_ID, Consumed, row_ids
from trainingrun_trainer.data.formats import format_of, text, webdataset
from trainingrun_trainer.data.listing import Listing, list_dataset
from trainingrun_trainer.data.mixing import bundles_of
from trainingrun_trainer.data.preparing import prepare_rows
from trainingrun_trainer.data.reading import stored_tables
from trainingrun_trainer.data.slabs import Bundle, SlabReader
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError

ROWS = 120
# Less than a row group of ten rows; other pieces are larger.
SLAB_BYTES = {"Parquet": 150}
EVERY_KIND = pytest.mark.parametrize("kind", FORMATS)


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Listing]:
    found = {}
    for kind, written in FORMATS.items():
        folder = tmp_path_factory.mktemp(kind)
        written.write(folder, ROWS)
        found[kind] = list_dataset(source_of(kind, folder, **written.settings))
    return found


@pytest.fixture(autouse=True)
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every format cut its pieces into several tables, as it does with large data."""
    monkeypatch.setattr(slabs, "_TABLE_BYTES", 300)
    monkeypatch.setattr(text, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(webdataset, "_ROWS_PER_TABLE", 7)


def reader_of(listing: Listing, most_open: int = 64) -> SlabReader:
    return SlabReader(listing.source, listing.inspection.layouts, most_open=most_open)


def read_all(listing: Listing, bundles: list[Bundle], consumed: Consumed, *, most_open: int = 64) -> list[pa.Table]:
    """The slabs' tables, bundles side by side as in a group: without cursors each is skipped to."""
    reader = reader_of(listing, most_open)
    tables: list[pa.Table] = []
    slab, open_bundles = 0, bundles
    while open_bundles:
        still = []
        for bundle in open_bundles:
            report, table = reader.read(bundle, slab, SLAB_BYTES.get(listing.source.format, 700), consumed)
            assert (report.kept, report.size_bytes) == (table.num_rows, table.nbytes)
            assert report.rows or not slab
            tables.append(table)
            still += [bundle] if report.has_more else []
        slab, open_bundles = slab + 1, still
    reader.close()
    return tables


def layouts_of_bundles(listing: Listing) -> list[list[Bundle]]:
    """The dataset as one bundle of tiny pieces, and each piece on its own."""
    return [bundles_of(listing.pieces), [Bundle(piece.index, (piece,)) for piece in listing.pieces]]


def used_rows(listing: Listing) -> np.ndarray:
    """The ids of a third of the rows, and of all rows of the second piece."""
    ids = np.concatenate([row_ids(piece, 0, piece.rows or ROWS) for piece in listing.pieces])
    chosen = np.random.default_rng(0).random(len(ids)) < 0.3
    return ids[chosen | (ids >> 40 == listing.pieces[1 % len(listing.pieces)].index)]


def account(ids: np.ndarray) -> Consumed:
    consumed = Consumed()
    consumed.add(ids)
    return consumed


def read_before(listing: Listing, consumed: Consumed) -> Reading:
    """The rows that are left as their pieces have them, without slabs."""
    tables, layouts = [], listing.inspection.layouts
    for piece in listing.pieces:
        first = 0
        for table in stored_tables(listing.source, piece, layouts, 300):
            left = consumed.remaining(piece, first, table.num_rows)
            numbered = table.append_column(ROW_ID, pa.array(row_ids(piece, first, table.num_rows)))
            tables.append(prepare_rows(listing.source, layouts, numbered.filter(pa.array(left)))[0])
            first += table.num_rows
    return reading_of([table for table in tables if table.num_rows])


@EVERY_KIND
@pytest.mark.parametrize("is_resumed", [False, True], ids=["whole", "resumed"])
@pytest.mark.parametrize("most_open", [64, 0], ids=["cursors", "skipping"])
def test_slabs_have_every_row_that_is_left_once(
    listings: dict[str, Listing], kind: str, is_resumed: bool, most_open: int
) -> None:
    listing = listings[kind]
    consumed = account(used_rows(listing)) if is_resumed else Consumed()
    expected = read_before(listing, consumed)
    by_id = dict(zip(expected.ids.tolist(), zip(expected.numbers, expected.labels, strict=True), strict=True))
    for bundles in layouts_of_bundles(listing):
        tables = read_all(listing, bundles, consumed, most_open=most_open)
        layouts = listing.inspection.layouts
        read = reading_of([prepare_rows(listing.source, layouts, table)[0] for table in tables if table.num_rows])
        assert len(tables) > len(bundles)
        assert sorted(read.ids.tolist()) == sorted(expected.ids.tolist())
        assert dict(zip(read.ids.tolist(), zip(read.numbers, read.labels, strict=True), strict=True)) == by_id


@EVERY_KIND
def test_what_is_used_does_not_move_rows_from_slab_to_slab(listings: dict[str, Listing], kind: str) -> None:
    listing = listings[kind]
    used = used_rows(listing)
    for bundles in layouts_of_bundles(listing):
        whole = [table[ROW_ID].to_numpy() for table in read_all(listing, bundles, Consumed())]
        rest = [table[ROW_ID].to_numpy() for table in read_all(listing, bundles, account(used))]
        if len(whole) != len(rest):  # a piece of which nothing is left has no table
            assert sum(map(len, rest)) == sum(np.isin(ids, used, invert=True).sum() for ids in whole)
            continue
        assert all(np.array_equal(a[np.isin(a, used, invert=True)], b) for a, b in zip(whole, rest, strict=True))


@EVERY_KIND
def test_a_slab_behind_the_end_is_empty(listings: dict[str, Listing], kind: str) -> None:
    listing = listings[kind]
    report, table = reader_of(listing).read(bundles_of(listing.pieces)[0], 10_000, 700, Consumed())
    assert (report.rows, report.kept, report.has_more, table.num_rows) == (0, 0, False, 0)


def test_a_piece_that_is_used_up_is_not_opened(tmp_path: Path) -> None:
    FORMATS["Parquet"].write(tmp_path, ROWS)
    listing = list_dataset(source_of("Parquet", tmp_path))
    (bundle,) = bundles_of(listing.pieces)
    used = [piece for piece in listing.pieces if piece.paths == listing.pieces[0].paths]
    (tmp_path / "part-0.parquet").unlink()
    consumed = account(np.concatenate([row_ids(piece, 0, piece.rows or 0) for piece in used]))
    tables = read_all(listing, [bundle], consumed)
    assert sum(table.num_rows for table in tables) == ROWS - sum(piece.rows or 0 for piece in used)


def test_an_open_bundle_serves_one_reading_only(listings: dict[str, Listing]) -> None:
    """Two epochs of one bundle at once, of which one leaves pieces out, do not get each other's rows."""
    listing = listings["Parquet"]
    (bundle,) = bundles_of(listing.pieces)
    used = account(row_ids(listing.pieces[0], 0, listing.pieces[0].rows or 0))
    reader = reader_of(listing)
    for slab in range(3):
        for consumed in (used, Consumed(), used):
            _, table = reader.read(bundle, slab, SLAB_BYTES.get(listing.source.format, 700), consumed)
            assert (
                table == reader_of(listing).read(bundle, slab, SLAB_BYTES.get(listing.source.format, 700), consumed)[1]
            )


def test_a_file_with_other_rows_than_when_the_run_began_is_an_error_of_data(tmp_path: Path) -> None:
    FORMATS["CSV"].write(tmp_path, ROWS)
    listing = list_dataset(source_of("CSV", tmp_path))
    with (tmp_path / "part-1.csv").open("a") as file:
        file.write("1,1,x\n")
    with pytest.raises(DataError, match=r"part-1\.csv: found 91 rows where there were 90 when the run began"):
        read_all(listing, bundles_of(listing.pieces), Consumed())


def test_an_error_names_the_file_and_reading_again_names_it_again(tmp_path: Path) -> None:
    FORMATS["CSV"].write(tmp_path, ROWS)
    listing = list_dataset(source_of("CSV", tmp_path))
    text_of = (tmp_path / "part-1.csv").read_text()
    (tmp_path / "part-1.csv").write_text(text_of.replace("\n100,", "\none,"))
    reader = reader_of(listing)
    (bundle,) = bundles_of(listing.pieces)
    for _ in range(2):
        with pytest.raises(DataError, match=r"part-1\.csv"):
            for slab in range(100):
                reader.read(bundle, slab, 700, Consumed())


def test_a_large_row_group_is_not_decoded_before_its_first_slab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    rows = 40_000
    column = pa.array([np.random.default_rng(0).bytes(1000)] * rows, pa.binary(1000))
    pq.write_table(pa.table({"image": column, "label": range(rows)}), tmp_path / "a.parquet", use_dictionary=False)
    source = Source("spec.recipe.dataset.train", "Parquet", str(tmp_path))
    found = format_of(source).find(source)
    (bundle,) = bundles_of(found.pieces)
    before = pa.default_memory_pool().max_memory()
    report, table = SlabReader(found.source, {}).read(bundle, 0, 64 << 20, Consumed())
    assert table.nbytes == report.size_bytes < 9 << 20 and report.has_more
    assert pa.default_memory_pool().bytes_allocated() < 16 << 20 or before > 16 << 20


def test_pieces_of_every_format_are_in_the_bundles(listings: dict[str, Listing]) -> None:
    for listing in listings.values():
        assert [piece for bundle in bundles_of(listing.pieces) for piece in bundle.pieces] == pieces_of(listing.source)
