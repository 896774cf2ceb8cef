"""The same data on S3 gives the same rows, read through a real server that speaks its protocol."""

from __future__ import annotations

from pathlib import Path

import pytest
import s3fs
from dataset_files import FORMATS, pieces_of, read_epoch, source_of

from trainingrun_trainer.data.files import find_files
from trainingrun_trainer.data.formats import format_of
from trainingrun_trainer.data.reading import inspect
from trainingrun_trainer.failures.errors import InvalidConfiguration

ROWS = 60


@pytest.mark.parametrize("kind", ["Parquet", "pandas", "Images", "CSV", "JSON", "WebDataset"])
def test_rows_come_in_the_same_order_as_from_local_files(store: s3fs.S3FileSystem, tmp_path: Path, kind: str) -> None:
    FORMATS[kind].write(tmp_path, ROWS)
    store.put(f"{tmp_path}/", "bucket/data/", recursive=True)
    local = read_epoch(source_of(kind, tmp_path, **FORMATS[kind].settings))
    remote = read_epoch(source_of(kind, "s3://bucket/data", **FORMATS[kind].settings))
    assert remote.numbers == local.numbers
    assert remote.ids.tolist() == local.ids.tolist()


def test_a_prefix_a_glob_and_an_object_are_paths(store: s3fs.S3FileSystem) -> None:
    for name in ("a.parquet", "deep/b.parquet", "_SUCCESS", "_temporary/c.parquet", ".d.parquet", "x.txt"):
        store.pipe_file(f"bucket/in/{name}", name.encode())

    def found(path: str) -> list[str]:
        return [file.path for file in find_files("spec.x.path", path, (".parquet",))]

    assert found("s3://bucket/in") == ["s3://bucket/in/a.parquet", "s3://bucket/in/deep/b.parquet"]
    assert found("s3://bucket/in/") == found("s3://bucket/in")
    assert found("s3://bucket/in/**/*.parquet") == found("s3://bucket/in")
    assert found("s3://bucket/in/*.parquet") == ["s3://bucket/in/a.parquet"]
    assert found("s3://bucket/in/x.txt") == ["s3://bucket/in/x.txt"]
    assert [file.size_bytes for file in find_files("f", "s3://bucket/in", (".parquet",))] == [9, 14]


@pytest.mark.parametrize("path", ["s3://bucket/none", "s3://nobucket/none", "s3://bucket/none/*.parquet"])
def test_what_is_not_there_is_named(store: s3fs.S3FileSystem, path: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"train\.path: found nothing at"):
        pieces_of(source_of("Parquet", path))


def test_a_damaged_object_is_named(store: s3fs.S3FileSystem) -> None:
    store.pipe_file("bucket/data/a.parquet", b"PAR1 nothing PAR1")
    with pytest.raises(InvalidConfiguration, match=r's3://bucket/data/a\.parquet" \(17 bytes\) is not a readable'):
        pieces_of(source_of("Parquet", "s3://bucket/data"))


def test_an_object_that_is_gone_is_named(store: s3fs.S3FileSystem, tmp_path: Path) -> None:
    for kind in ("Parquet", "Images", "WebDataset", "CSV"):
        (tmp_path / kind).mkdir()
        FORMATS[kind].write(tmp_path / kind, 9)
        store.put(f"{tmp_path}/{kind}/", f"bucket/{kind}/", recursive=True)
        source = source_of(kind, f"s3://bucket/{kind}")
        found = format_of(source).find(source)
        gone = found.pieces[0].paths[0]
        store.rm(gone)
        with pytest.raises(InvalidConfiguration, match=gone.rpartition("/")[2]):
            inspect(found.source, found.pieces)
