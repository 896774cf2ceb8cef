"""One real Ray cluster for all tests here: a head without CPUs, a data node, and three trainer nodes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import loaded_driver
import pytest
from driving import HOOKS, python_path, write_rows

_CLUSTER = """
import sys
from trainingrun_trainer.local.virtual_cluster import virtual_cluster
from trainingrun_trainer.local.machine import Size
size = Size(trainers=3, trainer_nodes=3, cpus_per_trainer=1, gpus_per_trainer=0, data_nodes=1, data_cpus=1,
            object_store_bytes=128 << 20)
with virtual_cluster(size) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="session")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of the cluster put temporary files, but for Ray's own, whose sockets need shorter names."""
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="session")
def address(temporary: Path) -> Iterator[str]:
    """The cluster's address. It ends when its standard input does, so also when pytest is killed."""
    # It loads meanwhile.
    loaded_driver.server()
    folders = {"TMPDIR": str(temporary), "RAY_TMPDIR": tempfile.gettempdir()}
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **folders, "PYTHONPATH": python_path(HOOKS)},
    )
    assert process.stdin and process.stdout
    yield process.stdout.readline().strip()
    process.stdin.close()
    process.wait(60)


@pytest.fixture(scope="session")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,001 rows in files of very different sizes; each label is the row's number."""
    folder = tmp_path_factory.mktemp("uneven")
    assert write_rows(folder, [1000, 7, 353, 1, 640]) == 2001
    return folder
