"""How large the virtual nodes are: the run's shape, cut down to what this machine has. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun.history.figures import plural
from trainingrun.spec import Run
from trainingrun_trainer.machine import Machine

_GIB = 1 << 30


@dataclass(frozen=True)
class Size:
    """The virtual cluster. CPUs are totals of a group; object store sizes are bytes of each node.

    `gpus` are the ids of those that the trainers share out among themselves, `idle_gpus` is how many others there are.
    """

    trainers: int
    trainer_nodes: int
    cpus_per_trainer: int
    gpus_per_trainer: int
    data_nodes: int
    data_cpus: int
    object_store_bytes: int
    gpus: tuple[str, ...] = ()
    idle_gpus: int = 0

    def sentence(self, run: Run) -> str:
        """What was made of the run's shape, in one line."""
        gpus = f" and {self.gpus_per_trainer} GPU" if self.gpus_per_trainer else ""
        return (
            f"this machine: {plural(self.trainers, 'trainer')} with {self.cpus_per_trainer} CPU{gpus} each "
            f"(the run asks for {run.spec.trainer.num_processes}), {plural(self.data_cpus, 'CPU')} for data on "
            f"{plural(self.data_nodes, 'virtual node')} (the run asks for {plural(run.spec.data.num_nodes, 'node')})"
            + (f"; {plural(self.idle_gpus, 'GPU')} of this machine not used" if self.idle_gpus else "")
        )

    def cpus_of_data_nodes(self) -> list[int]:
        """The CPUs of each virtual data node, shared out as evenly as they can be."""
        each, more = divmod(self.data_cpus, self.data_nodes)
        return [each + (index < more) for index in range(self.data_nodes)]

    def gpus_of_node(self, index: int) -> tuple[str, ...]:
        """The ids of the GPUs of a virtual trainer node, the first of which is 0; no other node has them."""
        each = self.trainers // self.trainer_nodes * self.gpus_per_trainer
        return self.gpus[index * each : (index + 1) * each]


def size(run: Run, machine: Machine, *, trainers: int | None = None, data_cpus: int | None = None) -> Size:
    """The virtual cluster for `run` on `machine`; the keywords are the user's own choice."""
    wanted = run.spec.trainer.num_processes
    wanted_gpus = run.spec.trainer.resources_per_node.gpus // run.spec.trainer.processes_per_node
    has_gpus = bool(machine.gpus) and wanted_gpus > 0
    # A trainer needs a CPU whatever else it has, and so do the data.
    room = min(len(machine.gpus), max(1, machine.cpus - 1)) if has_gpus else max(1, machine.cpus // 2)
    count = trainers or min(wanted, room)
    half = machine.cpus - (data_cpus or machine.cpus // 2)
    per_trainer = max(1, min(half // count, int(run.spec.trainer.resources_per_node.limits["cpu"].cores) or 1))
    for_data = data_cpus or max(1, machine.cpus - count * per_trainer)
    trainer_nodes = min(run.spec.trainer.num_nodes, count)
    while count % trainer_nodes:
        trainer_nodes -= 1
    data_nodes = min(run.spec.data.num_nodes, for_data)
    gpus_each = min(wanted_gpus, len(machine.gpus) // count) if has_gpus else 0
    stores = data_nodes + trainer_nodes
    store = min(machine.memory_bytes // 4, int(machine.shared_memory_bytes * 0.8)) // stores
    return Size(
        trainers=count,
        trainer_nodes=trainer_nodes,
        cpus_per_trainer=per_trainer,
        gpus_per_trainer=gpus_each,
        data_nodes=data_nodes,
        data_cpus=for_data,
        object_store_bytes=max(128 << 20, min(store, 2 * _GIB)),
        gpus=machine.gpus[: count * gpus_each],
        idle_gpus=len(machine.gpus) - count * gpus_each,
    )
