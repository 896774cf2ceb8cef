"""Every format gives every row exactly once, whole or resumed, and in the same order for the same seed and epoch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dataset_files import CLASSES, FORMATS, pieces_of, read_epoch, source_of

from trainingrun_trainer.data import slabs
from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.formats import format_of, text, webdataset
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.reading import SAMPLE_ROWS
from trainingrun_trainer.data.source import Source

ROWS = 310
EVERY_KIND = pytest.mark.parametrize("kind", FORMATS)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    found = {}
    for kind, written in FORMATS.items():
        folder = tmp_path_factory.mktemp(kind)
        written.write(folder, ROWS)
        found[kind] = source_of(kind, folder, **written.settings)
    return found


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every format cut its pieces into several tables, as it does with large data."""
    monkeypatch.setattr(slabs, "_TABLE_BYTES", 300)
    monkeypatch.setattr(text, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(webdataset, "_ROWS_PER_TABLE", 7)


@EVERY_KIND
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_has_every_row_once_with_its_label(sources: dict[str, Source], kind: str, shuffle: bool) -> None:
    read = read_epoch(sources[kind], shuffle=shuffle)
    assert sorted(read.numbers) == list(range(ROWS))
    assert read.labels == [number % CLASSES for number in read.numbers]
    assert len(set(read.ids.tolist())) == ROWS


@EVERY_KIND
@pytest.mark.parametrize("shuffle", [True, False])
def test_a_resumed_epoch_reads_the_remaining_rows_in_the_order_of_the_whole_one(
    sources: dict[str, Source], kind: str, shuffle: bool, small_tables: None
) -> None:
    source = sources[kind]
    whole = read_epoch(source, epoch=3, shuffle=shuffle, slab_bytes=700)
    used = np.random.default_rng(2).random(ROWS) < 0.6
    used[: ROWS // 3] = True  # whole pieces too
    consumed = Consumed()
    consumed.add(whole.ids[used])
    account = Consumed.from_bytes(consumed.to_bytes())
    rest = read_epoch(source, epoch=3, shuffle=shuffle, consumed=account, slab_bytes=700)
    assert rest.ids.tolist() == whole.ids[~used].tolist()
    assert rest.numbers == [number for number, was_used in zip(whole.numbers, used, strict=True) if not was_used]


@EVERY_KIND
def test_nothing_is_read_again_when_all_is_used(sources: dict[str, Source], kind: str) -> None:
    consumed = Consumed()
    consumed.add(read_epoch(sources[kind]).ids)
    assert read_epoch(sources[kind], consumed=consumed).numbers == []


@EVERY_KIND
def test_the_order_depends_on_the_epoch_only_when_shuffled(sources: dict[str, Source], kind: str) -> None:
    source = sources[kind]
    assert read_epoch(source, epoch=1).numbers == read_epoch(source, epoch=1).numbers
    assert read_epoch(source, epoch=1).numbers != read_epoch(source, epoch=2).numbers
    assert read_epoch(source, epoch=1, shuffle=False).numbers == read_epoch(source, epoch=2, shuffle=False).numbers


def test_rows_without_shuffle_come_in_the_order_of_the_files(sources: dict[str, Source]) -> None:
    for kind in ("Parquet", "pandas", "CSV", "JSON", "WebDataset"):
        assert read_epoch(sources[kind], shuffle=False).numbers == list(range(ROWS)), kind


def test_images_of_all_classes_are_mixed_even_without_shuffle(sources: dict[str, Source]) -> None:
    first = read_epoch(sources["Images"], shuffle=False).labels[:30]
    assert set(first) == set(range(CLASSES))


@EVERY_KIND
def test_pieces_know_what_is_known_without_reading(sources: dict[str, Source], kind: str) -> None:
    pieces = pieces_of(sources[kind])
    assert [piece.index for piece in pieces] == list(range(len(pieces)))
    assert all(piece.size_bytes > 0 for piece in pieces)
    assert sum(piece.rows or 0 for piece in pieces) == (0 if kind == "WebDataset" else ROWS)


@EVERY_KIND
def test_the_sample_is_the_first_rows_as_training_will_read_them(sources: dict[str, Source], kind: str) -> None:
    source = sources[kind]
    found = list_dataset(source).inspection
    assert 0 < found.sample.num_rows <= SAMPLE_ROWS
    assert {"image", "label"} <= set(found.sample.column_names) == set(found.sample.schema.names)
    described = {name: str(layout) for name, layout in found.layouts.items()}
    assert described == ({} if kind == "CSV" else {"image": "uint8 of shape 4x6"})


def test_a_sample_is_at_most_512_rows(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("image,label\n" + "1,0\n" * 2000)
    source = source_of("CSV", tmp_path)
    assert list_dataset(source).inspection.sample.num_rows == SAMPLE_ROWS


def test_a_table_of_lists_is_bounded_by_its_size_in_memory(tmp_path: Path) -> None:
    pd.DataFrame({"image": [[[7] * 100] * 10] * 500, "label": 0}).to_parquet(tmp_path / "a.parquet")
    source = source_of("pandas", tmp_path)
    found = format_of(source).find(source)
    (piece,) = found.pieces
    assert piece.size_bytes < 500 * 1000  # in the file, a dictionary holds the 7 once
    tables = list(format_of(source).read(found.source, piece, 400_000))
    assert sum(table.num_rows for table in tables) == 500
    assert all(table.nbytes < 450_000 for table in tables)


def test_compressed_text_is_read_by_its_name(tmp_path: Path) -> None:
    import bz2
    import gzip

    text_of = "image,label\n1,0\n2,1\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text_of.encode()))
    (tmp_path / "b.csv.bz2").write_bytes(bz2.compress(text_of.encode()))
    assert read_epoch(source_of("CSV", tmp_path), shuffle=False).numbers == [1, 2, 1, 2]
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"image": 7, "label": 1}\n'))
    assert read_epoch(source_of("JSON", tmp_path), shuffle=False).numbers == [7]


def test_empty_files_among_others_have_no_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("image,label\n4,1\n")
    source = source_of("CSV", tmp_path)
    assert read_epoch(source).numbers == [4]
    assert pieces_of(source)[0].size_bytes == 0
