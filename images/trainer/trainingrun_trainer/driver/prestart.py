"""Has Ray start the processes of a run before they are asked for, while pods wait for each other anyway.

`python -m trainingrun_trainer.driver.prestart` is the postStart hook of a run's pods. Ray would start each process only
when it is needed, one after another, and a process that trains needs seconds of a processor to load torch. Ray takes
such a process for whichever job first needs one with the environment that it was started with; one that is not taken
ends after a while. What it loads is named by Ray's own `preload_python_modules`. Nothing depends on it: a start without
it is only slower. It must not load anything of a run's author.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from typing import Any

from trainingrun.contract.labels import RAY_DATA_KEY, RAY_DATA_VALUE
from trainingrun.contract.variables import PRESTART
from trainingrun_trainer.drain.processes import RayNode, ray_nodes
from trainingrun_trainer.driver.entrypoint import prepare_environment

# How long a pod's Ray may take to start, and how long what is prestarted waits for the driver.
_START_SECONDS, _WAIT_SECONDS = 120.0, 300.0
_LOOK_SECONDS = 0.2
# What Ray Train hands down to its controller and workers, and what it adds: read here without loading Ray Train.
_HANDED_DOWN = ("RAY_TRAIN_", "NCCL_RAS_ADDR", "RAY_WARN_BLOCKING_GET_INSIDE_ASYNC", "TORCHFT_LIGHTHOUSE")
_ADDED = {"RAY_WARN_BLOCKING_GET_INSIDE_ASYNC": "0"}


@dataclass(frozen=True)
class Wanted:
    """How many processes a node is to have: those of this package, of Ray Train's controller, and those that train."""

    plain: int = 0
    control: int = 0
    train: int = 0


# Beside the driver: the hub and the coordinator; the controller and the three that it starts.
BESIDE_DRIVER = Wanted(plain=2, control=4)


def train_variables() -> dict[str, str]:
    """The variables that Ray Train has its controller and workers started with, by a driver in this environment."""
    prepare_environment()
    return {**_ADDED, **{name: value for name, value in os.environ.items() if name.startswith(_HANDED_DOWN)}}


def prestart(address: str, wanted: Wanted, seconds: float) -> None:
    """Ask the node at `address`, host:port of its raylet, for processes that are kept for `seconds`; does not wait."""
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import node_manager_pb2_grpc

    variables = {"env_vars": train_variables()}
    # Ray takes a process only for an environment that is written in the same way: the controller's, which its actors
    # inherit, by the driver's Python; that of workers, to whom the controller gives their own, by Ray's core.
    by_python = json.dumps(variables, sort_keys=True)
    by_core = json.dumps(variables, sort_keys=True, separators=(",", ":"))
    with init_grpc_channel(address) as channel:
        raylet = node_manager_pb2_grpc.NodeManagerServiceStub(channel)
        for count, environment in ((wanted.plain, ""), (wanted.control, by_python), (wanted.train, by_core)):
            if count:
                raylet.PrestartWorkers(_request(count, environment, seconds), timeout=10)


def _request(count: int, environment: str, seconds: float) -> Any:
    from ray.core.generated import node_manager_pb2

    messages: Any = node_manager_pb2
    request = messages.PrestartWorkersRequest(
        language="PYTHON", num_workers=count, keep_alive_duration_secs=int(seconds)
    )
    if environment:
        request.runtime_env_info.serialized_runtime_env = environment
    return request


def main() -> int:
    """Wait for this pod's Ray node, and ask it for what a run needs there; returns 1 where there is none in time."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        node = next(iter(ray_nodes()), None)
        address = node and _raylet_address(node)
        if node and address:
            prestart(address, _wanted(node, int(os.environ.get(PRESTART, "0"))), _WAIT_SECONDS)
            return 0
        time.sleep(_LOOK_SECONDS)
    return 1


def _wanted(node: RayNode, processes: int) -> Wanted:
    """What this pod needs, which has `processes` for data or training."""
    if node.is_head:
        return BESIDE_DRIVER
    if node.labels.get(RAY_DATA_KEY) == RAY_DATA_VALUE:
        return Wanted(plain=processes)
    return Wanted(train=processes)


def _raylet_address(node: RayNode) -> str | None:
    """Where the node's raylet listens, once it has told the head."""
    from ray import _raylet

    rays: Any = _raylet
    for found in rays.GcsClient(address=node.gcs_address).get_all_node_info(timeout=10).values():
        if found.node_id.hex() == node.node_id:
            return f"{found.node_manager_address}:{found.node_manager_port}"
    return None


if __name__ == "__main__":
    sys.exit(main())
