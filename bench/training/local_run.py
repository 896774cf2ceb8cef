"""Starts `trainingrun local`, follows its records, and ends it with everything that it has started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bench.machine import usable_cpus
from bench.processes import command_line, descendants, environment
from trainingrun.contract.records import AttemptEnded, Record, parse_line

_PATIENCE_SECONDS = 240.0
_POLL_SECONDS = 0.02


class LocalRun:
    """A run that is under way. `records` grows while it trains; `process` is the command's."""

    def __init__(self, document: dict[str, Any], folder: Path, cpus: int, options: tuple[str, ...] = ()):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "run.yaml"
        file.write_text(yaml.safe_dump(document))
        self.records: list[Record] = []
        self._log = folder / "stderr.log"
        chosen = set(usable_cpus()[:cpus])
        with self._log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trainingrun", "local", "-f", str(file), "--json", *options],
                cwd=folder,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # Every process of the run inherits this: with one CPU, data and training share it.
                preexec_fn=lambda: os.sched_setaffinity(0, chosen),
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, done: Callable[[], Any]) -> Any:
        """Wait until `done()` is true and return it. Raises RuntimeError when the run ends or takes too long."""
        limit = time.monotonic() + _PATIENCE_SECONDS
        while not (found := done()):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"the run did not get there:\n{self._last_words()}")
            time.sleep(_POLL_SECONDS)
        return found

    def wait_for_end(self) -> list[Record]:
        """All records of the run, once it is complete. Raises RuntimeError when it is anything else."""
        code = self.process.wait(_PATIENCE_SECONDS)
        self._reader.join()
        if code != 0:
            raise RuntimeError(f"the run ended with {code}:\n{self._last_words()}")
        return self.records

    def driver(self) -> int:
        """The process id of the attempt's driver, once there is one."""
        return self.wait_for(lambda: next(filter(_is_driver, descendants(self.process.pid)), 0))

    def close(self) -> None:
        """End it at once: the first signal asks, the second one insists."""
        for _ in range(2):
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _read(self) -> None:
        for line in self.process.stdout:
            record = parse_line(line)
            if record is not None:
                self.records.append(record)

    def _last_words(self) -> str:
        ended = [json.dumps(record.message) for record in self.records if isinstance(record, AttemptEnded)]
        return "\n".join([*ended, self._log.read_text()[-2000:]])


def _is_driver(pid: int) -> bool:
    return "-m trainingrun_trainer" in command_line(pid).partition(" ")[2]


@contextmanager
def local_run(
    document: dict[str, Any], folder: Path, cpus: int = 2, options: tuple[str, ...] = ()
) -> Iterator[LocalRun]:
    """A run on so many CPUs, with more options of the command, ended when the block ends."""
    run = LocalRun(document, folder, cpus, options)
    try:
        yield run
    finally:
        run.close()
