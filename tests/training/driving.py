"""Starts real training processes for the tests and reads what they tell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from loaded_driver import LoadedDriver

from trainingrun.contract.records import AttemptEnded, Record, parse_line
from trainingrun_trainer.data import layout

HOOKS = Path(__file__).parent
SIDE = 8


def python_path(folder: Path) -> str:
    """Modules in `folder` first, then where this process looks for them: in the checkout that is tested."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


def write_rows(folder: Path, sizes: list[int], row_group_rows: int = 256, classes: int = 1 << 30) -> int:
    """Files of so many rows: random images, and as label the row's number modulo `classes`. Returns how many rows."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    first = 0
    for index, size in enumerate(sizes):
        field, images = layout.from_numpy("image", generator.integers(0, 256, (size, SIDE, SIDE), dtype=np.uint8))
        schema = layout.schema_of([field, pa.field("label", pa.int64())])
        labels = np.arange(first, first + size) % classes
        table = pa.table([images, pa.array(labels)], schema=schema)
        pq.write_table(table, folder / f"part-{index}.parquet", row_group_size=row_group_rows)
        first += size
    return first


def document(rows: Path | str, root: Path | str, recipe: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A TrainingRun on the files in `rows`, with these parts of the recipe and the spec."""
    dataset = {"train": {"format": "Parquet", "path": str(rows)}, **recipe.pop("dataset", {})}
    return {
        "apiVersion": "trainingrun.dev/v1beta1",
        "kind": "TrainingRun",
        "metadata": {"name": "test"},
        "spec": {
            "image": "not-used",
            "storage": {
                "uri": str(root) if "://" in str(root) else f"file://{root}",
                **spec.pop("storage", {}),
            },
            "recipe": {
                "dataset": dataset,
                "model": {"function": "training_hooks:small_net"},
                "loss": {"function": "training_hooks:squared_error"},
                "metrics": [{"function": "training_hooks:zero"}],
                "optimizer": {"function": "torch.optim:SGD", "parameters": {"lr": 0.01}},
                "globalBatchSize": 66,
                "epochs": 2,
                **recipe,
            },
            **spec,
        },
    }


class Training:
    """A training process. `folder` is the run's folder in storage."""

    def __init__(self, process: subprocess.Popen[bytes] | LoadedDriver, folder: Path, log: Path):
        self.process = process
        self.folder = folder
        self.log = log

    def records(self) -> list[Record]:
        logs = sorted((self.folder / "progress").glob("attempt-*.jsonl"))
        lines = [line for log in logs for line in log.read_text().splitlines()]
        return [record for line in lines if (record := parse_line(line)) is not None]

    def wait_for(self, found: Callable[[list[Record]], bool], seconds: float = 180) -> None:
        """Wait until the records satisfy `found`; the process must not end before."""
        deadline = time.monotonic() + seconds
        while not found(self.records()):
            assert self.process.poll() is None, f"ended too early:\n{self.output()}"
            assert time.monotonic() < deadline, f"not seen in {seconds} s:\n{self.output()}"
            time.sleep(0.2)

    def end(self, seconds: float = 240) -> int:
        """The exit code."""
        return self.process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def output(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]

    def last_word(self) -> AttemptEnded:
        """The last AttemptEnded of all attempts."""
        ends = [record for record in self.records() if isinstance(record, AttemptEnded)]
        assert ends, self.output()
        return ends[-1]


def start(run: dict[str, Any], place: Path, address: str, workers: int = 1) -> Training:
    """A driver for `run`, on the cluster at `address`; its file and output are in `place`."""
    arguments = ["--config", str(_written(run, place)), "--address", address]
    arguments += ["--num-workers", str(workers), "--worker-cpus", "1"]
    log = place / "output.log"
    log.touch()
    return Training(LoadedDriver(arguments, place, _environment(), log), folder_of(run), log)


def local(run: dict, place: Path, *options: str, **environment: str) -> Training:
    """`trainingrun local` on a virtual cluster of its own, or with `--debug` on none."""
    return command(["local", "-f", str(_written(run, place)), *options], place, folder_of(run), **environment)


def command(arguments: list[str], place: Path, folder: Path, **environment: str) -> Training:
    """`trainingrun` with these arguments in `place`, which trains a run whose folder is `folder`."""
    log = place / "output.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "trainingrun"), *arguments],
            env=_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=place,
        )
    return Training(process, folder, log)


def _written(run: dict[str, Any], place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    file = place / "run.yaml"
    file.write_text(yaml.safe_dump(run))
    return file


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": python_path(HOOKS)}


def folder_of(run: dict[str, Any]) -> Path:
    """The run's folder; under a volume it is the test's business where that is."""
    if "uri" not in run["spec"]["storage"]:
        return Path("no-folder-known")
    return Path(run["spec"]["storage"]["uri"].removeprefix("file://")) / run["metadata"]["name"]


def seen_rows(folder: Path, epoch: int) -> list[int]:
    """All rows that all ranks of all attempts have written down for an epoch."""
    return [row for file in folder.glob(f"epoch-{epoch}-*.json") for row in yaml.safe_load(file.read_text())]
