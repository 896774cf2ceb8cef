"""The first run of docs/cluster.md does what it says, line by line, as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_client import Cluster
from cluster_folder import VOLUME
from timings import Timings

pytestmark = pytest.mark.extended

_ROOT = Path(__file__).parents[3]
_SECTION = re.compile(r"^## A first run\n.*?^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = "manifests/kind/digits.yaml"


@pytest.fixture
def _nothing_there(cluster: Cluster) -> Iterator[None]:
    """Neither before nor afterwards: not its run, not its volume, not what is in that."""

    def clean() -> None:
        run = cluster.get("trainingrun", "digits", "default")
        cluster.run("delete", "--ignore-not-found", "--timeout=180s", f"--filename={_ROOT / _RUN}")
        for folder in ("datasets", *([run["metadata"]["uid"]] if run else [])):
            shutil.rmtree(VOLUME / folder, ignore_errors=True)

    clean()
    yield
    clean()


@pytest.mark.usefixtures("_nothing_there")
def test_the_quick_start_trains_to_complete(cluster: Cluster, timings: Timings) -> None:
    found = _SECTION.search((_ROOT / "docs" / "cluster.md").read_text())
    assert found
    first, rest = found[1].split("\n", 1)
    # This one has been done: there would be no test without it.
    assert first == "make cluster"
    timings.start()
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", rest],
        cwd=_ROOT,
        env={**os.environ, "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    timings.mark("Complete")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "default/digits  Complete" in done.stdout
    assert "100%" in done.stdout
