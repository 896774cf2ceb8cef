"""Examples as their page and the tutorials say to train them: data written by `data.py`, then `trainingrun local`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from driving import command

from trainingrun.contract.records import EpochEnded

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", ["boxes", "houses", "own_script", "pictures", "reviews", "table", "tokens"])
def test_an_example_reaches_its_figure(name: str, tmp_path: Path) -> None:
    # A copy, so that nothing of the checkout can be imported by chance or is written to.
    folder, volume = tmp_path / "example", tmp_path / "volume"
    shutil.copytree(EXAMPLES / name, folder)
    subprocess.run([sys.executable, folder / "data.py", volume / "datasets" / name], check=True, timeout=120)
    run = yaml.safe_load((folder / "run.yaml").read_text())
    arguments = ["local", "-f", str(folder / "run.yaml"), "--volume", str(volume)]
    training = command(arguments, tmp_path, volume / run["metadata"]["name"])

    assert training.end() == 0, training.output()
    metric, comparison, bar = run["metadata"]["annotations"]["examples.trainingrun.dev/reaches"].split()
    reached = [r for r in training.records() if isinstance(r, EpochEnded)][-1].metrics[metric]
    assert reached >= float(bar) if comparison == ">=" else reached <= float(bar)
