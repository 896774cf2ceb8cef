"""The operator's process, and what it costs: seconds, CPU and memory as the kernel counts them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from child_process import answer_of
from control_plane import ControlPlane
from operator_process import OperatorProcess

_MIB = 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")
_POLL_SECONDS = 0.1
_LONGEST_SECONDS = 1800.0


class MeasuredOperator(OperatorProcess):
    """One replica, which acts at once and writes no Lease."""

    def start_in_sync(self, runs: int) -> float:
        """Start it. Seconds from the start of the process until it has looked at so many runs and has none left."""
        began = time.monotonic()
        self.start(until_ready=False)
        self.wait_until(lambda: self.readiness()[0] == 200, _LONGEST_SECONDS)
        self.wait_idle(runs)
        return time.monotonic() - began

    def wait_idle(self, looks: int = 0) -> None:
        """Return when it has looked at runs so often, and none waits or is looked at."""
        deadline = time.monotonic() + _LONGEST_SECONDS
        while True:
            metrics = self.metrics()
            if self.looks(metrics) >= looks and self.oldest(metrics) == 0.0:
                return
            assert time.monotonic() < deadline, f"the operator is not idle: {metrics}"
            time.sleep(_POLL_SECONDS)

    def metrics(self) -> dict[str, float]:
        """Its metrics by their names with labels."""
        status, text = answer_of(f"{self._health}/metrics")
        assert status == 200, f"no metrics: {status}"
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def looks(self, metrics: dict[str, float] | None = None) -> int:
        """How often it has looked at runs."""
        found = metrics if metrics is not None else self.metrics()
        return int(sum(value for name, value in found.items() if name.startswith("trainingrun_reconcile_total")))

    def oldest(self, metrics: dict[str, float]) -> float:
        """For how long a run waits or is looked at already; 0 when there is none."""
        seconds = metrics["trainingrun_queue_oldest_seconds"]
        # Reading the clock twice makes nothing of it a few microseconds.
        return seconds if seconds > 1e-3 or metrics["trainingrun_queue_depth"] else 0.0

    @property
    def cpu_seconds(self) -> float:
        """CPU time since its start."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def resident_mib(self) -> float:
        """Memory that it holds now."""
        return self.resident_bytes / _MIB

    @property
    def peak_mib(self) -> float:
        """Most memory that it has held."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


@contextmanager
def running_operator(plane: ControlPlane, runs: int = 0) -> Iterator[MeasuredOperator]:
    """An operator that is in sync with so many runs. It is ended as a node ends a pod."""
    operator = MeasuredOperator(plane)
    try:
        operator.start_in_sync(runs)
        yield operator
    finally:
        operator.end()
