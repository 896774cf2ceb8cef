"""Remote files are read once and not ahead: what is paid for is the data that is used."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import units_of
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from trainingrun_trainer.data.consumed import Consumed
from trainingrun_trainer.data.formats import parquet_files
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.mixing import bundles_of
from trainingrun_trainer.data.reading import Epoch
from trainingrun_trainer.data.slabs import SlabReader
from trainingrun_trainer.data.source import Source, Uses

ALLOWED = 1.2


class CountedStore(AbstractFileSystem):
    """Objects in memory, read in ranges as from S3 and through the same buffers of fsspec; every byte is counted."""

    protocol = "counted"
    objects: ClassVar[dict[str, bytes]] = {}
    fetched = 0

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        name = self._strip_protocol(path).lstrip("/")
        if name in self.objects:
            return {"name": name, "size": len(self.objects[name]), "type": "file"}
        if any(other.startswith(name + "/") for other in self.objects):
            return {"name": name, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        name = self._strip_protocol(path).strip("/")
        found = [self.info(other) for other in sorted(self.objects) if other.rpartition("/")[0] == name]
        return found if detail else [info["name"] for info in found]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        return CountedFile(self, path, mode, **{"block_size": 50 << 20, **options})  # as s3fs has it


class CountedFile(AbstractBufferedFile):
    def _fetch_range(self, start: int, end: int) -> bytes:
        data = CountedStore.objects[self.path.lstrip("/")][start:end]
        CountedStore.fetched += len(data)
        return data


@pytest.fixture
def store() -> Iterator[type[CountedStore]]:
    fsspec.register_implementation("counted", CountedStore, clobber=True)
    CountedStore.objects = {}
    CountedStore.clear_instance_cache()
    parquet_files._footers.clear()
    yield CountedStore
    CountedStore.clear_instance_cache()


def put(store: type[CountedStore], name: str, *, groups: int, rows: int, width: int) -> None:
    """A file of `groups` row groups; a row has `width` random bytes as an input, as many as another column, a label."""
    rng = np.random.default_rng(len(store.objects))
    columns = [pa.array([rng.bytes(width) for _ in range(groups * rows)], pa.binary(width)) for _ in range(2)]
    labels = pa.array(np.arange(groups * rows))
    buffer = io.BytesIO()
    table = pa.table({"image": columns[0], "label": labels, "other": columns[1]})
    pq.write_table(table, buffer, row_group_size=rows, compression=None)
    store.objects[f"bucket/data/{name}.parquet"] = buffer.getvalue()


def used_bytes(store: type[CountedStore], columns: set[str]) -> int:
    total = 0
    for data in store.objects.values():
        footer = pq.read_metadata(io.BytesIO(data))
        groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
        total += sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in columns)
    return total


@pytest.mark.parametrize("columns", [("image", "label"), None], ids=["two-of-three", "all"])
@pytest.mark.parametrize(
    ("files", "groups", "rows", "width"),
    [(2, 40, 200, 500), (3, 10, 400, 4000), (1, 1, 4000, 2000), (12, 1, 500, 1000), (1, 200, 100, 300)],
    ids=["small-groups", "converted", "one-group", "one-group-a-file", "tiny-groups"],
)
def test_an_epoch_reads_little_more_than_what_it_uses(
    store: type[CountedStore], files: int, groups: int, rows: int, width: int, columns: tuple[str, ...] | None
) -> None:
    for number in range(files):
        put(store, f"part-{number}", groups=groups, rows=rows, width=width)
    source = Source("spec.recipe.dataset.train", "Parquet", "counted://bucket/data", columns=columns)
    listing = list_dataset(source)
    # A data task is another process, which has not seen a footer.
    parquet_files._footers.clear()
    store.fetched = 0
    assert sum(unit.num_rows for unit in units_of(listing, Epoch(1, 1, shuffle=True))) == files * groups * rows
    needed = used_bytes(store, set(columns or ("image", "label", "other")))
    assert store.fetched <= ALLOWED * needed, f"{store.fetched / needed:.2f} x"


@pytest.mark.parametrize(
    ("files", "groups", "rows", "width"), [(2, 2, 3000, 2000), (1, 1, 8000, 2000)], ids=["converted", "one-group"]
)
def test_slabs_are_read_in_requests_that_overlap_nowhere(
    store: type[CountedStore], files: int, groups: int, rows: int, width: int
) -> None:
    for number in range(files):
        put(store, f"part-{number}", groups=groups, rows=rows, width=width)
    listing = list_dataset(Source("spec.recipe.dataset.train", "Parquet", "counted://bucket/data"))
    parquet_files._footers.clear()
    store.fetched = 0
    reader = SlabReader(listing.source, listing.inspection.layouts)
    found = 0
    for bundle in bundles_of(listing.pieces):
        for slab in itertools.count():
            report, _ = reader.read(bundle, slab, 1 << 20, Consumed())
            found += report.rows
            if not report.has_more:
                break
    assert found == files * groups * rows
    needed = used_bytes(store, {"image", "label", "other"})
    assert store.fetched <= 1.02 * needed, f"{store.fetched / needed:.3f} x"


def test_listing_reads_footers_and_the_first_rows(store: type[CountedStore]) -> None:
    for number in range(5):
        put(store, f"part-{number}", groups=20, rows=300, width=1000)
    store.fetched = 0
    list_dataset(Source("spec.recipe.dataset.train", "Parquet", "counted://bucket/data", uses=Uses(gets_rows=True)))
    assert store.fetched <= 0.05 * sum(map(len, store.objects.values()))


def test_text_is_read_once_by_a_task(store: type[CountedStore]) -> None:
    store.objects["bucket/data/a.csv"] = b"image,label\n" + b"1.5,2\n" * 300_000
    source = Source("spec.recipe.dataset.train", "CSV", "counted://bucket/data", uses=Uses())
    listing = list_dataset(source)
    store.fetched = 0
    assert sum(unit.num_rows for unit in units_of(listing)) == 300_000
    assert store.fetched <= ALLOWED * len(store.objects["bucket/data/a.csv"])


def test_a_local_file_that_shrinks_while_it_is_read_is_an_error_of_data(tmp_path: Path) -> None:
    from trainingrun_trainer.failures.errors import DataError

    path = tmp_path / "a.parquet"
    generator = np.random.default_rng(1)
    rows = pa.array([generator.bytes(1000) for _ in range(4000)], pa.binary(1000))
    pq.write_table(pa.table({"image": rows, "label": range(4000)}), path, row_group_size=1000, compression=None)
    listing = list_dataset(Source("spec.recipe.dataset.train", "Parquet", str(path)))
    units = units_of(listing, slab_bytes=1 << 20)
    next(units)
    with path.open("r+b") as file:
        file.truncate(1_500_000)
    with pytest.raises(DataError, match=r"a\.parquet: row group [123] cannot be read"):
        list(units)
