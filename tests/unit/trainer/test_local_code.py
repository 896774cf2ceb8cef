"""Where `trainingrun local` finds a run's code: in the folder that is named, in the archive, or next to the file."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from run_samples import run_of

from trainingrun.archive import packed
from trainingrun.spec import Run
from trainingrun.spec.documents import LoadedRun
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.local import __main__ as program
from trainingrun_trainer.local import plan_ahead
from trainingrun_trainer.local.adapt import adapt
from trainingrun_trainer.local.code import code_folder, python_path, with_code
from trainingrun_trainer.local.process import Driver

DIGEST = "0" * 64
CLAIM = {"persistentVolumeClaim": {"claimName": "models", "mountPath": "/mnt/never-there"}}


def read(run: Run) -> LoadedRun:
    """The run as it is read from a file."""
    return LoadedRun(run, "run.yaml", 1, run.to_document())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Code that has `build_here`, as `build_there` next to the run's file has not."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "code_of_the_run.py").write_text("def build_here(): ...")
    (tmp_path / "code_of_the_run.py").write_text("def build_there(): ...")
    return tmp_path / "code"


def test_a_named_folder_makes_the_run_that_submit_would_send(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, archive = run_of(), packed(folder)
    code = with_code(read(run), folder).spec.code
    assert code is not None and code.config_map_key_ref is not None
    assert (code.sha256, code.config_map_key_ref.name) == (archive.sha256, f"digits-code-{archive.sha256[:12]}")
    assert f"sha256 {archive.sha256}" in capsys.readouterr().err
    assert with_code(read(run), None) is run
    of_its_runtime = run_of(code={"uri": "s3://b/a.tar.gz", "sha256": DIGEST})
    assert with_code(read(run)._replace(run=of_its_runtime), folder).spec.code == code
    with pytest.raises(InvalidConfiguration, match="found in the file, and --code too; allowed: one"):
        with_code(read(with_code(read(run), folder)), folder)
    with pytest.raises(InvalidConfiguration, match="there is no such folder"):
        with_code(read(run), folder / "absent")


def test_code_comes_from_one_folder(tmp_path: Path, folder: Path) -> None:
    file, work = tmp_path / "run.yaml", tmp_path / "work"
    assert code_folder(run_of(), file, None, work) == tmp_path
    assert code_folder(with_code(read(run_of()), folder), file, folder, work) == folder
    in_a_cluster = with_code(read(run_of()), folder)
    with pytest.raises(InvalidConfiguration, match="found a ConfigMap, which only a cluster has, allowed here"):
        code_folder(in_a_cluster, file, None, work)
    assert not work.exists()


def test_an_archive_is_unpacked_anew_each_time(tmp_path: Path, folder: Path) -> None:
    archive, place = packed(folder), tmp_path / "code.tar.gz"
    place.write_bytes(archive.data)
    run = run_of(code={"uri": f"file://{place}", "sha256": archive.sha256})
    found = code_folder(run, tmp_path / "run.yaml", None, tmp_path / "work")
    assert found == tmp_path / "work" / "code" and (found / "code_of_the_run.py").is_file()
    (found / "left.py").write_text("")
    assert code_folder(run, tmp_path / "run.yaml", None, tmp_path / "work") == found
    assert [path.name for path in found.iterdir()] == ["code_of_the_run.py"]
    place.write_bytes(archive.data + b"\0")
    other = hashlib.sha256(archive.data + b"\0").hexdigest()
    with pytest.raises(InvalidConfiguration, match=f"whose sha256 is {other}, allowed: the one"):
        code_folder(run, tmp_path / "run.yaml", None, tmp_path / "work")


def test_an_archive_on_the_claim_is_one_in_what_stands_in_for_it(tmp_path: Path) -> None:
    run = run_of(storage=CLAIM, code={"uri": "/mnt/never-there/code/a.tar.gz", "sha256": DIGEST})
    code = adapt(run, tmp_path / "volume").run.spec.code
    assert code is not None and code.uri == f"file://{tmp_path}/volume/code/a.tar.gz"
    elsewhere = adapt(run_of(storage=CLAIM, code={"uri": "s3://b/a.tar.gz", "sha256": DIGEST}), tmp_path).run.spec.code
    assert elsewhere is not None and elsewhere.uri == "s3://b/a.tar.gz"


def test_the_folder_comes_before_what_was_found_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/app")
    assert python_path(Path("/code")) == f"/code{os.pathsep}/app"
    monkeypatch.delenv("PYTHONPATH")
    assert python_path(Path("/code")) == "/code"


def looked_at(
    main: Callable[[list[str]], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *options: str, **spec: Any
) -> int:
    """The exit code for a run whose model is not there: what the module has instead says which one was found."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "code_of_the_run", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    recipe = {"dataset": {"train": {"format": "CSV", "path": "/d"}}, "model": {"function": "code_of_the_run:build"}}
    file = tmp_path / "run.yaml"
    file.write_text(yaml.safe_dump(run_of(recipe=recipe, storage={"uri": "file:///d"}, **spec).to_document()))
    return main([str(file), *options])


@pytest.mark.parametrize(
    ("main", "flags"),
    [(program.main, ["--explain"]), (plan_ahead.main, ["--sample", "1", "--output", "json"])],
    ids=["explain", "plan"],
)
def test_hooks_are_those_of_the_code(
    tmp_path: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    main: Callable[[list[str]], int],
    flags: list[str],
) -> None:
    archive = packed(folder)
    (tmp_path / "code.tar.gz").write_bytes(archive.data)
    in_the_file = {"code": {"uri": f"file://{tmp_path}/code.tar.gz", "sha256": archive.sha256}}
    for options, spec, found in (
        ((), {}, "build_there"),
        (("--code", str(folder)), {}, "build_here"),
        ((), in_the_file, "build_here"),
    ):
        assert looked_at(main, tmp_path, monkeypatch, *flags, *options, **spec) == 12
        assert f'"code_of_the_run" has no "build"; did you mean "{found}"?' in capsys.readouterr().err
    monkeypatch.delitem(sys.modules, "code_of_the_run", raising=False)


def test_a_command_starts_in_the_code(tmp_path: Path, folder: Path) -> None:
    driver = Driver([sys.executable, "-c", "import os; print(os.getcwd())"], {}, None, directory=folder)
    assert list(driver.lines()) == [str(folder)]
    assert driver.end() == 0
