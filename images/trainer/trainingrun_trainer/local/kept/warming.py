"""Has Ray start the processes of a run before there is one, for as long as they may wait.

Without a job: Ray gives such a process to whichever job needs one first, with the environment that it was started with.
They load what is this project's and Ray's, by Ray's own `preload_python_modules`, and nothing of a run's author.
"""

from __future__ import annotations

from trainingrun.contract.pods import PRELOADED_MODULES
from trainingrun_trainer.driver.prestart import BESIDE_DRIVER, Wanted, prestart
from trainingrun_trainer.local.machine import Size

# By the group of a node: what may be there is data workers and all that is beside a driver, or workers of Ray Train.
PRELOADED = {
    "data": (
        *PRELOADED_MODULES["data"],
        "ray.autoscaler.v2.utils",
        "ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator",
        "ray.train.v2._internal.callbacks.accelerators",
        "ray.train.v2._internal.execution.controller",
        "ray.train.v2._internal.execution.controller.placement_group_cleaner",
        "trainingrun_trainer.driver.backend",
        "trainingrun_trainer.driver.hub",
        "trainingrun_trainer.train.worker",
    ),
    "trainer": PRELOADED_MODULES["trainer"],
}
# A driver itself looks at the run's functions, most of which load torch.
DRIVER = (
    *PRELOADED_MODULES["data"],
    "torch",
    "torch._dynamo",
    "torchvision",
    "trainingrun_trainer.driver.attempt",
    "trainingrun_trainer.driver.data_pool",
    "trainingrun_trainer.driver.datasets",
    "trainingrun_trainer.driver.decisions",
    "trainingrun_trainer.driver.launch",
    "trainingrun_trainer.driver.torch_trainer",
    "trainingrun_trainer.explanation",
    "trainingrun_trainer.train.checkpoint_book",
    "trainingrun_trainer.train.loop",
    "trainingrun_trainer.train.opening",
)


def wanted(size: Size) -> dict[str, Wanted]:
    """By the name of a virtual node, the processes that a run will need on it; the head has data workers as well."""
    nodes = {f"data-{index}": Wanted(plain=cpus) for index, cpus in enumerate(size.cpus_of_data_nodes())}
    head = nodes["data-0"]
    nodes["data-0"] = Wanted(plain=head.plain + BESIDE_DRIVER.plain, control=BESIDE_DRIVER.control)
    each = size.trainers // size.trainer_nodes
    return nodes | {f"trainer-{index}": Wanted(train=each) for index in range(size.trainer_nodes)}


def warm(size: Size, seconds: float) -> None:
    """Ask each node for its processes, which are kept for so long. The driver is connected; does not wait for them."""
    import ray

    nodes = wanted(size)
    for node in ray.nodes():
        prestart(f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}", nodes[node["NodeName"]], seconds)
