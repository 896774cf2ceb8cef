"""`init`: what it writes is valid, complete and the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from command_line import Run

from trainingrun.cli.init import LIKE
from trainingrun.spec.documents import load_runs


@pytest.mark.parametrize("like", LIKE)
def test_a_start_is_a_valid_run_with_the_functions_that_it_names(cli: Run, tmp_path: Path, like: str) -> None:
    folder = tmp_path / "flowers"
    result = cli("init", str(folder), "--like", like)
    assert result.exit_code == 0
    assert sorted(result.stdout.split()) == sorted(str(file) for file in folder.iterdir())
    (loaded,) = load_runs(folder / "run.yaml")
    assert loaded.run.metadata.name == "flowers"
    assert "examples.trainingrun.dev" not in (folder / "run.yaml").read_text()
    assert f"python {folder / 'data.py'} .trainingrun/cluster-storage/datasets/{LIKE[like]}" in result.stderr
    assert f"/mnt/cluster_storage/datasets/{LIKE[like]}" in (folder / "run.yaml").read_text()
    recipe = loaded.run.spec.recipe
    if recipe is not None:
        assert (folder / f"{recipe.model.function.partition(':')[0]}.py").is_file()
        assert recipe.dataset.train.path.startswith(f"/mnt/cluster_storage/datasets/{LIKE[like]}/")


def test_nothing_is_overwritten_and_names_are_checked(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("")
    assert cli("init", str(tmp_path / "mine"), "--like", "table").exit_code == 1
    wrong = cli("init", str(tmp_path / "My Run"), "--like", "table")
    assert wrong.exit_code == 2
    assert "Choose another with --name." in wrong.stderr
    assert cli("init", str(tmp_path / "My Run"), "--like", "table", "--name", "mine").exit_code == 0
    document = yaml.safe_load((tmp_path / "My Run" / "run.yaml").read_text())
    assert document["metadata"] == {"name": "mine"}


def test_without_a_terminal_nothing_is_asked(cli: Run, tmp_path: Path) -> None:
    result = cli("init", str(tmp_path / "mine"))
    assert result.exit_code == 2
    assert "Choose from: images, table, text, script." in result.stderr
