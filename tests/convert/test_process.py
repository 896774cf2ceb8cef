"""`trainingrun convert` as a process: its codes and its output, and what is left when it dies."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

COMMAND = [sys.executable, "-c", "from trainingrun.cli import main; main()", "convert"]

SOURCES = """
import os, signal
import numpy

class Killed:
    '''Rows by number; the process is killed at the row that is read as number `at`.'''
    def __init__(self, at):
        self.at, self.read = at, 0
    def __len__(self):
        return 20_000
    def __getitem__(self, index):
        self.read += 1
        if self.read == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return numpy.full((28, 28), index % 256, numpy.uint8), index

def killed(at):
    return Killed(at)

def noise(rows):
    random = numpy.random.default_rng(0)
    for index in range(rows):
        yield random.integers(0, 256, (28, 28), numpy.uint8), index

def cheap(rows):
    pool = numpy.random.default_rng(0).integers(0, 256, (1000, 28, 28), numpy.uint8)
    for index in range(rows):
        yield {"image": pool[index % 1000], "label": index % 10}
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "my_sources.py").write_text(SOURCES)
    return tmp_path


def run(work: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=work, capture_output=True, text=True, timeout=120, check=False, **options
    )


def test_the_summary_ends_with_what_a_run_needs(work: Path) -> None:
    done = run(work, "sklearn:digits", "digits", "--size", "16,8", "--limit", "100")
    # A slow machine is told how far it is.
    assert done.returncode == 0 and re.fullmatch(r"(\d+ of 100 rows\n)*", done.stderr), done.stderr
    first, _, rest = done.stdout.partition("\n\n")
    assert first.startswith("Converted 100 rows to 1 file, ")
    assert re.search(r", [1-9]\d*(\.\d+)? KiB, [\d,]+ rows/s", first), "a small amount is not rounded to nothing"
    assert yaml.safe_load(rest) == {"dataset": {"train": {"format": "Parquet", "path": str(work / "digits")}}}
    assert pq.read_schema(work / "digits" / "part-00000.parquet").metadata[b"image.shape"] == b"16,8"


def test_help_explains_sources_and_shuffling(work: Path) -> None:
    done = run(work, "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    for part in (
        "torchvision:MNIST --download",
        "--no-shuffle",
        "sorted, for example by class",
        "12 bad source",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["sklearn:digits"], 2, "Missing argument 'DESTINATION'"),
        (["sklearn:digits", "out", "--size", "8"], 2, "found 8, allowed: height,width in pixels"),
        (["sklearn:digits", "out", "--limit", "0"], 2, "0 is not in the range x>=1"),
        (["sklearn:digits", "out", "--option", "x"], 2, "found x, allowed: name=value"),
        (["sklearn:digits", "out", "--type", "image"], 2, "found image, allowed: COLUMN=TYPE"),
        (["sklearn:digits", "out", "--type", "image=complex"], 2, "Error: --type image=complex: allowed: bool"),
        (["sklearn:digits", "out", "--type", "images=int8"], 12, "--type: found no column images among image, label"),
        (["sklearn:digits", "out", "--type", "image=int8"], 12, "expected int8"),
        (["nothing", "out"], 2, "Error: SOURCE: found nothing, allowed: torchvision:NAME"),
        (["sklearn:digits", "my_sources.py"], 2, "found a file, allowed: a folder"),
        (["folder:none", "out"], 12, "Error: none: no such folder"),
        (["my_sources:cheap", "out"], 12, "missing 1 required positional argument: 'rows'"),
        (["my_sources:cheap", "out", "--option", "rows=0"], 12, "Error: SOURCE has no rows"),
    ],
)
def test_exit_codes_and_messages(work: Path, arguments: list[str], code: int, message: str) -> None:
    done = run(work, *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert not (work / "out").exists()


def test_a_missing_dependency_is_named_with_the_extra_that_brings_it(work: Path) -> None:
    code = f"import sys; sys.modules['pyarrow'] = None; {COMMAND[2]}"
    done = subprocess.run(
        [sys.executable, "-c", code, "convert", "sklearn:digits", "out"],
        cwd=work, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "convert needs pyarrow, which is not installed: pip install 'trainingrun[trainer]'" in done.stderr


# Rows are read and files written in turns: the first file is open, some are complete, all but the last are.
@pytest.mark.parametrize("at", [1, 5_000, 12_000, 20_000])
def test_a_killed_conversion_leaves_nothing_under_the_final_name(work: Path, at: int) -> None:
    done = run(work, "my_sources:killed", "out", "--option", f"at={at}")
    assert done.returncode == -signal.SIGKILL
    assert not (work / "out").exists()
    if at > 1:
        assert list(work.glob("out.tmp-*/*.tmp-*"))
    again = run(work, "my_sources:killed", "out", "--option", "at=-1")
    assert again.returncode == 0
    assert sum(pq.read_metadata(file).num_rows for file in (work / "out").iterdir()) == 20_000


def test_a_killed_replacement_leaves_the_old_data(work: Path) -> None:
    assert run(work, "my_sources:cheap", "out", "--option", "rows=10").returncode == 0
    done = run(work, "my_sources:killed", "out", "--option", "at=15000", "--overwrite")
    assert done.returncode == -signal.SIGKILL
    assert pq.read_table(work / "out").num_rows == 10


def test_a_conversion_killed_at_any_moment_is_either_complete_or_not_there(work: Path) -> None:
    """The moments are spread from the first file to well after the last rename."""
    outcomes = set()
    for number, delay in enumerate([0.0, 0.01, 0.02, 0.03, 0.05, 0.1, 2.0]):
        out = work / f"out{number}"
        arguments = ["my_sources:noise", out.name, "--option", "rows=10000"]
        process = subprocess.Popen([*COMMAND, *arguments], cwd=work, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(work.glob(f"{out.name}*")):
            time.sleep(0.001)
        time.sleep(delay)
        process.kill()
        process.wait()
        outcomes.add(out.exists())
        if out.exists():
            assert sum(pq.read_metadata(file).num_rows for file in out.iterdir()) == 10_000
    assert outcomes == {False, True}


def test_a_stopped_conversion_cleans_up(work: Path) -> None:
    arguments = ["my_sources:killed", "out", "--option", "at=-1", "--rows-per-file", "10"]
    process = subprocess.Popen([*COMMAND, *arguments], cwd=work, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(work.glob("out.tmp-*/part-00005.parquet")):
        assert time.monotonic() < deadline
        assert process.poll() is None
    process.terminate()
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert list(work.glob("out*")) == []


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert mounted.returncode == 0, f"This test fills a real 2 MiB disk and must mount one: {mounted.stderr}"
    yield disk
    subprocess.run(["/bin/umount", str(disk)], check=True)


def test_a_full_disk_leaves_nothing_and_says_so(work: Path, full_disk: Path) -> None:
    done = run(work, "my_sources:noise", str(full_disk / "out"), "--option", "rows=10000")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(full_disk.iterdir()) == []
    done = run(work, "my_sources:noise", str(full_disk), "--option", "rows=10")
    assert (done.returncode, "a mounted volume" in done.stderr) == (2, True)


# Linux also counts what a process was before it became another program, so a small one starts the converter.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss * 1024)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def peak_memory(work: Path, *arguments: str) -> int:
    """Convert, and return the most resident memory of the process in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *COMMAND, *arguments],
        cwd=work, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_600_000_rows_that_pass_once_take_less_than_a_gibibyte(work: Path) -> None:
    assert peak_memory(work, "my_sources:cheap", "out", "--option", "rows=600000") < 2**30
    files = list((work / "out").iterdir())
    assert len(files) >= 8
    assert max(file.stat().st_size for file in files) <= 128 * 2**20
    assert sum(pq.read_metadata(file).num_rows for file in files) == 600_000


def test_600_000_rows_on_disk_take_less_than_a_gibibyte(work: Path) -> None:
    pairs = np.lib.format.open_memmap(
        work / "data.npy",
        mode="w+",
        dtype=[("image", np.uint8, (28, 28)), ("label", np.int64)],
        shape=(600_000,),
    )
    pairs["label"] = np.arange(600_000) % 10
    pairs.flush()
    peak = peak_memory(work, "data.npy", "out")
    (work / "data.npy").unlink()
    assert peak < 2**30
    assert sum(pq.read_metadata(file).num_rows for file in (work / "out").iterdir()) == 600_000
