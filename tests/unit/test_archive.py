"""The archive of an author's code: what of a folder is in it, that it is always the same, and how it is unpacked."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trainingrun.archive import ARCHIVE_KEY, Refused, Unusable, choosing, code_field, packed, packing, unpack, unpacking
from trainingrun.spec.code import Code


def folder(place: Path, **files: str) -> Path:
    """A folder with these files, named with `__` for `/`, or as they are in `more`."""
    return filled(place, {name.replace("__", "/") + ".py": text for name, text in files.items()})


def filled(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


def names(archive: packing.Archive) -> list[str]:
    return tarfile.open(fileobj=io.BytesIO(archive.data)).getnames()


def test_an_archive_is_unpacked_to_what_was_packed(tmp_path: Path) -> None:
    code = folder(tmp_path / "code", main="import my_project", my_project__model="def build(): ...")
    (code / "main.py").chmod(0o700)
    archive = packed(code)
    (tmp_path / ARCHIVE_KEY).write_bytes(archive.data)
    there = tmp_path / "there"
    assert unpack(tmp_path / ARCHIVE_KEY, archive.sha256, there) == archive.files == 2
    assert (there / "my_project" / "model.py").read_text() == "def build(): ..."
    assert os.access(there / "main.py", os.X_OK) and not (there / "my_project" / "model.py").stat().st_mode & 0o111
    assert hashlib.sha256(archive.data).hexdigest() == archive.sha256


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in "ab")
    filled(first, {"z.py": "1", "a/b.py": "2", "a.py": "3"})
    filled(second, {"a.py": "3", "a/b.py": "2", "z.py": "1"})
    os.utime(second / "z.py", (1, 1))
    (second / "a.py").chmod(0o666)
    assert packed(first).data == packed(second).data
    (second / "z.py").write_text("2")
    assert packed(first).sha256 != packed(second).sha256


def test_what_git_ignores_and_tools_leave_behind_stays_out(tmp_path: Path) -> None:
    repository = filled(
        tmp_path / "repository",
        {
            ".git/config": "",
            ".gitignore": "*.ckpt\n/src/big/\n",
            "src/.gitignore": "!kept.ckpt\n",
            "src/model.py": "",
            "src/old.ckpt": "",
            "src/kept.ckpt": "",
            "src/big/rows.bin": "",
            "src/__pycache__/model.cpython-311.pyc": "",
            "src/.venv/lib/x.py": "",
            "src/deep/.gitignore": "*\n",
            "src/deep/x.py": "",
        },
    )
    assert names(packed(repository / "src")) == [".gitignore", "kept.ckpt", "model.py"]
    filled(repository, {"src/.trainingrunignore": "kept.ckpt\n!/deep/x.py\n.gitignore\n.trainingrunignore\n"})
    assert names(packed(repository / "src")) == ["deep/x.py", "model.py"]


def test_rules_of_folders_above_hold_only_within_a_repository(tmp_path: Path) -> None:
    filled(tmp_path, {".gitignore": "*.py", "code/a.py": ""})
    assert names(packed(tmp_path / "code")) == ["a.py"]


def test_what_may_be_a_secret_is_left_out_and_named(tmp_path: Path) -> None:
    secrets = [".env", ".env.local", "certs/tls.pem", "certs/tls.key", "id_rsa", ".aws/credentials", "kubeconfig"]
    code = filled(tmp_path / "code", {"a.py": "", **dict.fromkeys(secrets, "secret")})
    archive = packed(code)
    assert names(archive) == ["a.py"]
    assert archive.withheld == (".aws", ".env", ".env.local", "certs/tls.key", "certs/tls.pem", "id_rsa", "kubeconfig")
    said = "\n".join(archive.sentences())
    assert f"1 files, {len(archive.data):,} bytes packed, sha256 {archive.sha256}" in said
    assert "may hold secrets: .aws, .env, .env.local, certs/tls.key, certs/tls.pem, …; `!NAME`" in said
    filled(code, {".trainingrunignore": "!tls.pem\n.trainingrunignore\n", ".gitignore": "!.env\n.env.local\n"})
    again = packed(code)
    assert names(again) == [".gitignore", "a.py", "certs/tls.pem"]  # a .gitignore brings no secret back
    assert ".env.local" not in again.withheld  # nobody has to be told of what Git ignores too


def test_a_folder_that_is_too_large_names_its_largest_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = folder(tmp_path / "code", small="x", medium="y" * 2000)
    (code / "weights.bin").write_bytes(random.Random(1).randbytes(5000))
    monkeypatch.setattr(packing, "MAX_PACKED_BYTES", 4000)
    with pytest.raises(Refused) as raised:
        packed(code)
    assert (
        "bytes packed, allowed: at most 4,000; the largest files are weights.bin (5,000 bytes), medium.py (2,000"
        in (str(raised.value))
    )
    assert ".trainingrunignore" in str(raised.value) and "spec.code.uri" in str(raised.value)
    monkeypatch.setattr(packing, "MAX_UNPACKED_BYTES", 6000)
    with pytest.raises(Refused, match=r"found 7,001 bytes, allowed: at most 6,000"):
        packed(code)
    filled(code, {".trainingrunignore": "*.bin"})
    assert "weights.bin" not in names(packed(code))


def test_links_within_the_folder_are_files_and_others_are_refused(tmp_path: Path) -> None:
    code = folder(tmp_path / "code", a="text", b__c="")
    (code / "link.py").symlink_to("a.py")
    archive = packed(code)
    assert names(archive) == ["a.py", "b/c.py", "link.py"]
    for target in ("../outside.py", "b", "nothing"):
        (tmp_path / "outside.py").write_text("")
        (code / "bad").symlink_to(target)
        with pytest.raises(Refused, match=rf"code/bad: found a link to {target}, allowed: links to files of the"):
            packed(code)
        (code / "bad").unlink()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda place: place / "absent", "there is no such folder"),
        (lambda place: filled(place, {"code": ""}) / "code", "there is no such folder"),
        (lambda place: filled(place, {".env": ""}), "there is no file to pack"),
        (lambda place: filled(place, {"a.py": "", "b.py": "", "c.py": ""}), "found more than 2 files"),
        (lambda place: filled(place, {"a.py": "", ".gitignore": "!"}), ".gitignore: Invalid git pattern"),
    ],
)
def test_a_folder_that_is_none_of_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], words: str
) -> None:
    monkeypatch.setattr(choosing, "MAX_FILES", 2)
    with pytest.raises(Refused, match=words):
        packed(make(tmp_path))


def test_the_field_of_a_run_is_valid_and_names_a_config_map_of_its_own(tmp_path: Path) -> None:
    archive = packed(folder(tmp_path, a=""))
    field = code_field(archive, "n" * 63)
    code = Code.model_validate(field)
    assert code.config_map_key_ref is not None and code.sha256 == archive.sha256
    assert code.config_map_key_ref.name == f"{'n' * 63}-code-{archive.sha256[:12]}"


def test_the_largest_archive_fits_into_a_config_map() -> None:
    assert packing.MAX_PACKED_BYTES + len(ARCHIVE_KEY) <= 1 << 20


def archive_of(place: Path, *entries: tuple[str, str, str]) -> tuple[Path, str]:
    """A tar archive of (name, kind, text or target), and its digest."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, kind, text in entries:
            entry = tarfile.TarInfo(name)
            if kind == "file":
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
            else:
                entry.type = {"folder": tarfile.DIRTYPE, "link": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}.get(
                    kind, tarfile.FIFOTYPE
                )
                entry.linkname = text
                archive.addfile(entry)
    path = place / "archive"
    path.write_bytes(data.getvalue())
    return path, hashlib.sha256(data.getvalue()).hexdigest()


def test_an_archive_as_tar_makes_it_can_be_unpacked(tmp_path: Path) -> None:
    path, digest = archive_of(tmp_path, ("./", "folder", ""), ("./a.py", "file", "1"), ("./b/c.py", "file", "2"))
    for _ in range(2):  # also over what was half unpacked before
        assert unpack(path, digest, tmp_path / "code") == 2
    assert (tmp_path / "code" / "b" / "c.py").read_text() == "2"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("../x.py", "file", "")], r"'../x.py' in the archive, allowed: names below its root"),
        ([("/tmp/x.py", "file", "")], r"'/tmp/x.py' in the archive, allowed: names below its root"),
        ([("a/../../x.py", "file", "")], "names below its root"),
        ([("a.py", "link", "/etc/passwd")], "'a.py' in the archive, which is a link or a device"),
        ([("a", "link", ".."), ("a/x.py", "file", "")], "a link or a device"),
        ([("b.py", "file", ""), ("a.py", "hard", "b.py")], "a link or a device"),
        ([("a", "fifo", "")], "a link or a device"),
        ([("a", "folder", "")], "an archive without files"),
        ([(f"{n}.py", "file", "") for n in range(5)], "more than 4 entries"),
        ([("a.py", "file", "x" * 200)], "or 100 bytes"),
    ],
)
def test_an_archive_reaches_nowhere_else_and_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entries: list[tuple[str, str, str]], words: str
) -> None:
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 4)
    monkeypatch.setattr(unpacking, "MAX_UNPACKED_BYTES", 100)
    path, digest = archive_of(tmp_path, *entries)
    with pytest.raises(Unusable, match=words):
        unpack(path, digest, tmp_path / "deep" / "code")
    assert {each.name for each in tmp_path.iterdir()} <= {"archive", "deep"}
    assert not list(tmp_path.glob("**/x.py"))


def test_another_archive_than_the_named_one_is_not_unpacked(tmp_path: Path) -> None:
    path, digest = archive_of(tmp_path, ("a.py", "file", ""))
    with pytest.raises(Unusable, match=f"whose sha256 is {digest}, allowed: the one that spec.code.sha256 names, 00"):
        unpack(path, "0" * 64, tmp_path / "code")
    assert not (tmp_path / "code").exists()


_TORN = gzip.compress(b"x" * 2000, mtime=0)[:-12]


@pytest.mark.parametrize("data", [b"", b"text", gzip.compress(b"text", mtime=0), _TORN, b"\x1f\x8b\x08\x00bad"])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "archive").write_bytes(data)
    with pytest.raises(Unusable, match=r"cannot be unpacked|without files"):
        unpack(tmp_path / "archive", hashlib.sha256(data).hexdigest(), tmp_path / "code")
