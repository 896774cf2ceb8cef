"""What a pod does about `spec.code` before Ray starts in it: fetch, check, unpack, and say what is wrong in a line."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from trainingrun.archive import packed
from trainingrun.archive.packing import Archive
from trainingrun_trainer import fetch_code
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.fetch_code import fetch, main


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    (tmp_path / "code" / "my_project").mkdir(parents=True)
    (tmp_path / "code" / "my_project" / "model.py").write_text("BUILT = 1")
    return packed(tmp_path / "code")


@pytest.fixture
def stored(tmp_path: Path, archive: Archive) -> Path:
    (tmp_path / "code.tar.gz").write_bytes(archive.data)
    return tmp_path / "code.tar.gz"


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_an_archive_is_unpacked_from_a_path_or_a_uri(
    tmp_path: Path, stored: Path, archive: Archive, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([form.format(stored), archive.sha256, str(tmp_path / "there")]) == 0
    assert (tmp_path / "there" / "my_project" / "model.py").read_text() == "BUILT = 1"
    assert capsys.readouterr().out == f"1 files of code, sha256 {archive.sha256}\n"


def test_an_archive_is_unpacked_from_a_store(tmp_path: Path, archive: Archive) -> None:
    fsspec.filesystem("memory").pipe_file("/bucket/code.tar.gz", archive.data)
    assert fetch("memory://bucket/code.tar.gz", archive.sha256, tmp_path / "there") == 1
    assert (tmp_path / "there" / "my_project" / "model.py").is_file()


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_what_is_wrong_is_one_line_that_names_the_field(
    tmp_path: Path, stored: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, there = form.format(stored), str(tmp_path / "there")
    assert main([source, "0" * 64, there]) == 12
    said = capsys.readouterr().err
    assert said.startswith(f'spec.code: "{source}": found an archive whose sha256 is ') and said.count("\n") == 1
    assert main([f"{source}.zip", "0" * 64, there]) == 12
    assert capsys.readouterr().err == (
        f'spec.code: "{source}.zip": there is nothing at this address; expected an archive of code\n'
    )
    assert not Path(there).exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConnectionError("no route\nto the store"), 14, "no route to the store"),
        (PermissionError("Access Denied"), 12, "Access Denied"),
    ],
)
def test_a_store_that_is_away_is_an_outage_and_one_that_refuses_is_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    words: str,
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(fsspec, "open", fail)
    assert main(["s3://bucket/code.tar.gz", "0" * 64, str(tmp_path)]) == code
    assert capsys.readouterr().err == f'spec.code: "s3://bucket/code.tar.gz" cannot be read: {words}\n'


def test_an_endless_file_is_not_fetched_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO(b"x" * (4 << 20))
    monkeypatch.setattr(fetch_code, "_MOST_BYTES", 1 << 20)
    monkeypatch.setattr(fsspec, "open", lambda *_: stream)
    with pytest.raises(InvalidConfiguration, match="found an archive of more than 1,048,576 bytes"):
        fetch("s3://bucket/code.tar.gz", "0" * 64, tmp_path / "there")
    assert stream.closed


def test_pods_do_not_wait_for_ray_and_torch_to_unpack_code() -> None:
    program = "import sys, trainingrun_trainer.fetch_code; print({'ray', 'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"
