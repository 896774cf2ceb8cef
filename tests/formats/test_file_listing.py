"""What a path means: a file, a folder with everything below it, or a glob; markers and hidden files are no data."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_files import pieces_of, read_epoch, source_of, write_parquet

from trainingrun_trainer.data.files import find_files, is_local, open_file
from trainingrun_trainer.failures.errors import InvalidConfiguration


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.parquet",
        "a.PARQUET",
        "year=2024/month=1/c.pq",
        "_SUCCESS",
        "_manifest.json",
        "_temporary/d.parquet",
        ".hidden.parquet",
        ".cache/e.parquet",
        "notes.txt",
    ):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "data"


def found(path: object) -> list[str]:
    return [Path(file.path).name for file in find_files("spec.x.path", str(path), (".parquet", ".pq"))]


def test_a_folder_means_the_data_below_it(folder: Path) -> None:
    assert found(folder) == ["a.PARQUET", "b.parquet", "c.pq"]
    assert found(f"{folder}/") == ["a.PARQUET", "b.parquet", "c.pq"]
    assert found(folder.as_uri()) == ["a.PARQUET", "b.parquet", "c.pq"]


def test_markers_above_the_folder_do_not_hide_it(folder: Path) -> None:
    assert found(folder / "_temporary") == ["d.parquet"]
    assert found(folder / ".cache") == ["e.parquet"]


def test_a_file_means_itself_whatever_its_name(folder: Path) -> None:
    assert found(folder / "b.parquet") == ["b.parquet"]
    assert found(folder / "notes.txt") == ["notes.txt"]
    assert found(folder / "_manifest.json") == ["_manifest.json"]


def test_a_glob_means_what_it_matches_but_markers(folder: Path) -> None:
    assert found(folder / "*.parquet") == ["b.parquet"]
    assert found(folder / "**" / "*.pq") == ["c.pq"]
    assert found(folder / "[ab].*") == ["a.PARQUET", "b.parquet"]
    assert found(folder / "*") == ["a.PARQUET", "b.parquet", "notes.txt"]
    assert found(folder / "_m*") == ["_manifest.json"]  # asked for by name


def test_a_path_that_exists_is_no_glob(tmp_path: Path) -> None:
    home = tmp_path / "data [v1]"
    home.mkdir()
    write_parquet(home, 30)
    assert sorted(read_epoch(source_of("Parquet", home)).numbers) == list(range(30))


def test_files_know_their_length_and_can_be_opened(folder: Path) -> None:
    (file,) = find_files("spec.x.path", str(folder / "b.parquet"), ())
    assert file.size_bytes == len("b.parquet")
    assert is_local(file.path) and not is_local("s3://bucket/x")
    with open_file(file.path) as opened:
        assert opened.read() == b"b.parquet"


def test_the_listing_has_one_order(tmp_path: Path) -> None:
    write_parquet(tmp_path, 60)
    paths = [piece.paths[0] for piece in pieces_of(source_of("Parquet", tmp_path))]
    assert paths == sorted(paths)


def test_a_folder_without_data_says_which_files_it_looks_for(folder: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"^spec\.x\.path: found nothing at .* a folder with \.tar files"):
        find_files("spec.x.path", str(folder), (".tar",))
