"""A column of paths and URIs of pictures gives the rows that the pictures' bytes would; what cannot be had is named."""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pytest
import s3fs
from dataset_files import pictures, read_epoch, refused_at_start, rows_of, source_of, tables_of
from PIL import Image

from trainingrun_trainer.convert import convert
from trainingrun_trainer.data import fetching
from trainingrun_trainer.data.bad_rows import BadRow
from trainingrun_trainer.data.consumed import ROW_ID
from trainingrun_trainer.data.fetching import fetched
from trainingrun_trainer.data.listing import list_dataset
from trainingrun_trainer.data.source import Source
from trainingrun_trainer.failures.errors import DataError
from trainingrun_trainer.failures.outages import outage_of

ROWS = 12


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pictures(ROWS)[number]).save(buffer, "PNG")
    return buffer.getvalue()


class Photos(BaseHTTPRequestHandler):
    """`/N.png` is picture N; `/busy/N.png` answers 503 twice before; `/hangs` never answers; all else is not there."""

    asked: ClassVar[Counter[str]] = Counter()
    ended = threading.Event()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        if self.path == "/hangs":
            self.ended.wait(20)
            return
        number = self.path.rpartition("/")[2].removesuffix(".png")
        is_busy = self.path.startswith("/busy/") and self.asked[self.path] < 3
        data = png(int(number)) if number.isdigit() and not is_busy else b"no"
        self.send_response(503 if is_busy else 200 if number.isdigit() else 404)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: Any) -> None:
        """Nothing: a test's output is no log."""


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of photos, with clients that soon try again."""
    monkeypatch.setattr(fetching, "PAUSE_SECONDS", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Photos)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Photos.asked.clear()
    Photos.ended.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Photos.ended.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients give up soon."""
    monkeypatch.setattr(fetching, "TRY_SECONDS", 0.5)


def table_of(folder: Path, paths: list[str | None], form: str = "Parquet", **settings: Any) -> Source:
    """A dataset whose table has these paths and the rows' numbers as labels."""
    frame = pd.DataFrame({"image": paths, "label": range(len(paths))})
    (folder / "tables").mkdir(exist_ok=True)
    if form == "Parquet":
        frame.to_parquet(folder / "tables" / "a.parquet", row_group_size=5)
    elif form == "CSV":
        frame.to_csv(folder / "tables" / "a.csv", index=False)
    else:
        frame.to_json(folder / "tables" / "a.json", orient="records", lines=True)
    return source_of(form, folder / "tables", **{"image_mode": "L", **settings})


def skipping(source: Source) -> tuple[list[int], list[BadRow]]:
    """The labels of the rows that are left, and the others."""
    listing = list_dataset(source)
    bad: list[BadRow] = []
    tables = tables_of(listing, bad)
    return [label for table in tables for label in table.column("label").to_pylist()], bad


@pytest.mark.parametrize("form", ["Parquet", "CSV", "JSON"])
def test_paths_and_addresses_are_pictures(tmp_path: Path, photos: str, store: s3fs.S3FileSystem, form: str) -> None:
    (tmp_path / "pictures").mkdir()
    paths: list[str | None] = []
    for number in range(ROWS):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(png(number))
        store.pipe_file(f"bucket/{number}.png", png(number))
        places = (
            f"../pictures/{number}.png",
            f"{tmp_path}/pictures/{number}.png",
            f"file://{tmp_path}/pictures/{number}.png",
        )
        paths.append([*places, f"s3://bucket/{number}.png", f"{photos}/{number}.png"][number % 5])
    source = table_of(tmp_path, paths, form)
    assert (rows_of(source)["image"] == pictures(ROWS)).all()
    read = read_epoch(source)
    assert sorted(read.numbers) == list(range(ROWS)) and read.labels == read.numbers
    # Both doors: what is converted is the same.
    convert(tmp_path / "tables", tmp_path / "out", mode="L", shuffle=False)
    converted = rows_of(source_of("Parquet", tmp_path / "out"))
    assert (converted["image"] == pictures(ROWS)).all()


def test_a_relative_path_counts_from_its_table_in_a_store(tmp_path: Path, store: s3fs.S3FileSystem) -> None:
    table_of(tmp_path, [f"{number}.png" for number in range(4)])
    store.put(f"{tmp_path}/tables/a.parquet", "bucket/deep/a.parquet")
    for number in range(4):
        store.pipe_file(f"bucket/deep/{number}.png", png(number))
    assert (rows_of(source_of("Parquet", "s3://bucket/deep", image_mode="L"))["image"] == pictures(ROWS)[:4]).all()


def test_a_server_that_is_busy_is_asked_again(tmp_path: Path, photos: str) -> None:
    source = table_of(tmp_path, [f"{photos}/0.png", f"{photos}/busy/1.png"])
    assert rows_of(source)["image"].tolist() == pictures(ROWS)[:2].tolist()
    assert Photos.asked["/busy/1.png"] == 4  # once more for the first look


@pytest.mark.usefixtures("impatient")
def test_what_hangs_or_is_missing_holds_up_nothing_else(photos: str) -> None:
    started = time.monotonic()
    found = list(fetched([f"{photos}/hangs", f"{photos}/none.png", f"{photos}/3.png", "gopher://x", "/no/such.png"]))
    assert time.monotonic() - started < 5
    assert isinstance(found[0], Exception) and outage_of(found[0]) is not None
    assert found[2] == png(3)
    assert [type(one) for one in (found[1], found[4])] == [FileNotFoundError] * 2 and isinstance(found[3], ValueError)
    assert (Photos.asked["/hangs"], Photos.asked["/none.png"]) == (3, 1)


def test_many_are_fetched_at_a_time_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    active: list[int] = []
    most = 0

    def read(path: str) -> bytes:
        nonlocal most
        active.append(1)
        most = max(most, len(active))
        time.sleep(0.002)
        active.pop()
        return path.encode()

    monkeypatch.setattr(fetching, "_read", read)
    assert list(fetched(map(str, range(200)))) == [str(number).encode() for number in range(200)]
    assert 8 < most <= 32


@pytest.mark.usefixtures("impatient")
def test_a_row_that_cannot_be_had_ends_the_run_by_name(tmp_path: Path, photos: str) -> None:
    message = refused_at_start(table_of(tmp_path, [f"{photos}/0.png", f"{photos}/none.png"]))
    assert f"a.parquet: column image, row 1: {photos}/none.png: cannot be read:" in message
    # Behind the first look, too, and an outage stays one.
    source = table_of(tmp_path, [f"{photos}/0.png"] * 17 + [f"{photos}/hangs"])
    with pytest.raises(
        DataError, match=r"a\.parquet: column image, row 2: http.*/hangs: cannot be read: no answer"
    ) as caught:
        read_epoch(source, shuffle=False)
    assert outage_of(caught.value) is not None


@pytest.mark.usefixtures("impatient")
def test_bad_rows_are_left_out_with_their_ids_where_that_is_asked_for(tmp_path: Path, photos: str) -> None:
    (tmp_path / "broken.png").write_bytes(png(1)[:40])
    paths = [f"{photos}/{number}.png" for number in range(ROWS)]
    mixed: list[str | None] = [*paths[:3], f"{photos}/none.png", *paths[4:7], "../broken.png", None, f"{photos}/hangs"]
    labels, bad = skipping(table_of(tmp_path, mixed, skips_bad_rows=True))
    assert labels == [0, 1, 2, 4, 5, 6]
    assert [row.row & 0xFF for row in bad] == [3, 2, 3, 4] and [row.row >> 40 for row in bad] == [0, 1, 1, 1]
    assert [row.is_outage for row in bad] == [False, False, False, True]
    assert "row 2: " in bad[1].text and "not a readable image (40 bytes)" in bad[1].text
    assert bad[2].text.endswith(
        "a.parquet: column image, row 3: found no picture, expected the bytes or the path of one"
    )
    message = refused_at_start(table_of(tmp_path, [f"{photos}/none.png"] * 3, skips_bad_rows=True))
    assert "row 0" in message and "none of the first 3 rows has a picture that can be used" in message


def test_files_of_an_image_folder_are_left_out_alike(tmp_path: Path) -> None:
    for number in range(ROWS):
        (tmp_path / f"class-{number % 2}").mkdir(exist_ok=True)
        data = png(number) if number % 5 else b"nothing"
        (tmp_path / f"class-{number % 2}" / f"{number}.png").write_bytes(data)
    source = source_of("Images", tmp_path, skips_bad_rows=True)
    labels, bad = skipping(source)
    assert len(labels) == 9 and len(bad) == 3
    assert all("not a readable image (7 bytes)" in row.text for row in bad)
    ids = {row.row for row in bad}
    listing = list_dataset(source)
    assert not ids & {number for table in tables_of(listing) for number in table.column(ROW_ID).to_pylist()}


def test_a_size_without_pictures_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"image": [1.5, 2.0], "label": [0, 1]}).to_csv(tmp_path / "a.csv", index=False)
    message = refused_at_start(source_of("CSV", tmp_path, image_size=(4, 4)))
    assert "train.imageSize: found no input column with pictures (image is double); allowed: with encoded" in message
