"""Has Ray start the processes of a run before there is one, for as long as they may wait.

Without a job: Ray gives such a process to whichever job needs one first, with the environment that it was started with.
They load what is this project's and Ray's, by Ray's own `preload_python_modules`, and nothing of a run's author.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from trainingrun_trainer.local.machine import Size

# What is loaded late, by whatever first needs it, is named here too.
_FORMATS = tuple(f"trainingrun_trainer.data.formats.{name}" for name in ("parquet", "text", "images"))
_RAYS_OWN = (
    "pydantic.v1.fields",
    "ray.dag.compiled_dag_node",
    "ray.data._internal.issue_detection.issue_detector_configuration",
)
_TRAINING = (
    "torch",
    "torch._dynamo",
    "torchvision",
    "trainingrun_trainer.train.loop",
    "trainingrun_trainer.train.opening",
)
# By the group of a node: what may be there is data workers and all that is beside a driver, or workers of Ray Train.
PRELOADED = {
    "data": (
        *_RAYS_OWN,
        *_FORMATS,
        "ray.autoscaler.v2.utils",
        "ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator",
        "ray.train.v2._internal.callbacks.accelerators",
        "ray.train.v2._internal.execution.controller",
        "ray.train.v2._internal.execution.controller.placement_group_cleaner",
        "trainingrun_trainer.driver.backend",
        "trainingrun_trainer.driver.hub",
        "trainingrun_trainer.pool.worker",
        "trainingrun_trainer.train.worker",
    ),
    "trainer": (
        *_RAYS_OWN,
        *_TRAINING,
        "ray.train.torch.config",
        "ray.tune.trainable.trainable_fn_utils",
        "trainingrun_trainer.driver.backend",
        "trainingrun_trainer.pool.client",
        "trainingrun_trainer.train.hub_link",
        "trainingrun_trainer.train.lockstep",
        "trainingrun_trainer.train.worker",
    ),
}
# A driver itself looks at the run's functions, most of which load torch.
DRIVER = (
    *_RAYS_OWN,
    *_TRAINING,
    *_FORMATS,
    "trainingrun_trainer.driver.attempt",
    "trainingrun_trainer.driver.data_pool",
    "trainingrun_trainer.driver.datasets",
    "trainingrun_trainer.driver.decisions",
    "trainingrun_trainer.driver.launch",
    "trainingrun_trainer.driver.torch_trainer",
    "trainingrun_trainer.explanation",
    "trainingrun_trainer.train.checkpoint_book",
)
# On the head, besides data workers: the hub and the coordinator; the controller and the three that it starts.
_OF_DRIVER, _OF_CONTROLLER = 2, 4


@dataclass(frozen=True)
class Wanted:
    """How many processes a node is to have: those of this package, of Ray Train's controller, and those that train."""

    plain: int = 0
    control: int = 0
    train: int = 0


def wanted(size: Size) -> dict[str, Wanted]:
    """By the name of a virtual node, the processes that a run will need on it."""
    nodes = {f"data-{index}": Wanted(plain=cpus) for index, cpus in enumerate(size.cpus_of_data_nodes())}
    nodes["data-0"] = Wanted(plain=nodes["data-0"].plain + _OF_DRIVER, control=_OF_CONTROLLER)
    each = size.trainers // size.trainer_nodes
    return nodes | {f"trainer-{index}": Wanted(train=each) for index in range(size.trainer_nodes)}


def warm(size: Size, seconds: float) -> None:
    """Ask each node for its processes, which are kept for so long. The driver is connected; does not wait for them."""
    import ray

    variables = {"env_vars": _train_variables()}
    # Ray takes a process only for an environment that is written in the same way: the controller's, which its actors
    # inherit, by the driver's Python; that of workers, to whom the controller gives their own, by Ray's core.
    by_python = json.dumps(variables, sort_keys=True)
    by_core = json.dumps(variables, sort_keys=True, separators=(",", ":"))
    nodes = wanted(size)
    for node in ray.nodes():
        counts = nodes[node["NodeName"]]
        address = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
        for count, environment in ((counts.plain, ""), (counts.control, by_python), (counts.train, by_core)):
            if count:
                _prestart(address, count, environment, seconds)


def _train_variables() -> dict[str, str]:
    """The variables that Ray Train has its controller and workers started with."""
    from ray.train.v2._internal import constants as its_constants

    constants: Any = its_constants
    found: dict[str, str] = constants.get_env_vars_to_propagate()
    found.setdefault(
        constants.RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR,
        constants.DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE,
    )
    return found


def _prestart(address: str, count: int, environment: str, seconds: float) -> None:
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import node_manager_pb2, node_manager_pb2_grpc

    messages: Any = node_manager_pb2
    request = messages.PrestartWorkersRequest(
        language="PYTHON", num_workers=count, keep_alive_duration_secs=int(seconds)
    )
    if environment:
        request.runtime_env_info.serialized_runtime_env = environment
    with init_grpc_channel(address) as channel:
        node_manager_pb2_grpc.NodeManagerServiceStub(channel).PrestartWorkers(request, timeout=10)
