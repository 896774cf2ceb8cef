"""`python -m trainingrun_trainer.drain`: the preStop hook of a run's pods, which holds a pod until its work is safe.

On the head it asks the driver to stop and waits for its end. On a training pod it tells Ray that the node goes, upon
which the driver has a checkpoint saved, and waits until no training worker is left. On a data pod it gives the trainers
a little time to hear of it. It never takes longer than TRAININGRUN_DRAIN_SECONDS, prints one line, and ends with 0:
Kubernetes ends the pod after it in any case. It loads Ray only where it must, since each second of it is lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from trainingrun.contract.labels import RAY_DATA_KEY, RAY_DATA_VALUE
from trainingrun.contract.variables import DRAIN_SECONDS
from trainingrun_trainer.drain.connections import as_connected
from trainingrun_trainer.drain.processes import Process, RayNode, drivers, ray_nodes, training_workers

_DEFAULT_SECONDS = 100.0
# Trainers hear of a stop within two seconds; one that waits for data until then must still get it.
_DATA_SECONDS = 15.0
_CONNECT_SECONDS = 2.0
_LOOK_SECONDS = 0.2


class _Clock:
    """How much of the time is left."""

    def __init__(self, seconds: float):
        self._began = time.monotonic()
        self._end = self._began + seconds

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the end, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def wait_until(self, is_so: Callable[[], bool]) -> bool:
        """Wait for `is_so` to be true; False where the time was over first."""
        while not is_so():
            if not self.left:
                return False
            time.sleep(min(_LOOK_SECONDS, self.left))
        return True


def drain(node: RayNode | None, seconds: float) -> str:
    """Do what the module says for `node`, the Ray node of this pod, within `seconds`; returns what was done."""
    clock = _Clock(seconds)
    if node is None:
        return "nothing to wait for: no Ray node runs here"
    if node.is_head:
        return _stop_drivers(node, clock)
    # The head's name is gone as soon as its cluster is deleted, while the head itself waits for the driver.
    node = replace(node, gcs_address=as_connected(node.gcs_address))
    if workers := training_workers(node):
        return _drain_trainer(node, workers, clock)
    if node.labels.get(RAY_DATA_KEY) == RAY_DATA_VALUE:
        data_clock = _Clock(min(seconds, _DATA_SECONDS))
        data_clock.wait_until(lambda: not _answers(node.gcs_address))
        return f"a data node: kept its data for {data_clock.spent:.0f} s"
    return "nothing to wait for: no training worker runs here"


def _stop_drivers(node: RayNode, clock: _Clock) -> str:
    found = drivers(node)
    if not found:
        return "nothing to wait for: no driver runs here"
    for driver in found:
        driver.send(signal.SIGTERM)
    return _waited(f"asked {_listed('driver', found)} to stop", found, clock)


def _drain_trainer(node: RayNode, workers: list[Process], clock: _Clock) -> str:
    if not _answers(node.gcs_address):
        return f"nothing to wait for: the head at {node.gcs_address} is gone"
    refused: list[str] = []
    # Ray's client waits for a head that does not answer longer than there is time.
    asking = threading.Thread(target=_ask_ray, args=(node, clock.left, refused.append), daemon=True)
    asking.start()
    said = _waited(f"told Ray that node {node.node_id} is going away", workers, clock)
    return f"{said}; Ray refused: {refused[0]}" if refused else said


def _ask_ray(node: RayNode, seconds: float, on_refusal: Callable[[str], None]) -> None:
    """As `ray drain-node` does; the token of Ray's authentication comes from the environment, as everywhere."""
    try:
        from ray import _raylet
        from ray.core.generated import autoscaler_pb2

        messages: Any = autoscaler_pb2
        rays: Any = _raylet
        preempted = messages.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline = int((time.time() + seconds) * 1000)
        client = rays.GcsClient(address=node.gcs_address)
        is_accepted, why = client.drain_node(node.node_id, preempted, "the pod is being deleted", deadline)
        if not is_accepted:
            on_refusal(why)
    except Exception as error:  # whatever it is, the pod goes, and the workers may yet end in time
        on_refusal(str(error) or type(error).__name__)


def _waited(what: str, processes: list[Process], clock: _Clock) -> str:
    is_over = clock.wait_until(lambda: not any(process.is_alive() for process in processes))
    kind = "ended" if is_over else "was still running when the time was up"
    return f"{what}; {_listed('process', processes)} {kind} after {clock.spent:.0f} s"


def _listed(noun: str, processes: list[Process]) -> str:
    return ", ".join(f"{noun} {process.pid}" for process in processes)


def _answers(address: str) -> bool:
    """Whether something listens at `address`, host:port."""
    host, _, port = address.rpartition(":")
    with (
        contextlib.suppress(OSError, ValueError),
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS),
    ):
        return True
    return False


def _seconds() -> float:
    try:
        return max(0.0, float(os.environ.get(DRAIN_SECONDS, _DEFAULT_SECONDS)))
    except ValueError:
        return _DEFAULT_SECONDS


def main(arguments: list[str]) -> int:
    """Hold this pod until its work is safe; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m trainingrun_trainer.drain", description="Hold a terminating pod until its work is saved."
    )
    parser.add_argument("--node", help="id of the Ray node to drain; needed only where one machine runs several")
    chosen = parser.parse_args(arguments).node
    try:
        nodes = [node for node in ray_nodes() if chosen in (None, node.node_id)]
        said = drain(nodes[0] if nodes else None, _seconds())
    except Exception as error:  # a hook that fails would only be reported in the place of what matters
        said = f"failed: {type(error).__name__}: {error}"
    print(f"drain: {said}", flush=True)
    return 0


if __name__ == "__main__":
    # Without the interpreter's own end, which would wait for what Ray's client still does.
    os._exit(main(sys.argv[1:]))
