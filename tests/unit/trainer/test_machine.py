"""A run of any shape is cut down to any machine without asking for more than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_samples import run_of, trainer

from trainingrun.spec import Run
from trainingrun_trainer.local.machine import size
from trainingrun_trainer.machine import Machine, this_machine, visible_gpus

GIB = 1 << 30


def ids(count: int) -> tuple[str, ...]:
    return tuple(str(index) for index in range(count))


@st.composite
def runs(draw: st.DrawFn) -> Run:
    nodes, processes = draw(st.sampled_from([(n, p) for n in range(1, 9) for p in range(1, 9) if 5040 % (n * p) == 0]))
    has_gpus = draw(st.booleans())
    group = trainer(nodes, processes, draw(st.integers(1, 64)), processes if has_gpus else 0)
    return run_of(trainer=group, data={"numNodes": draw(st.integers(1, 20))})


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    cpus = draw(st.integers(1, 256))
    return Machine(
        cpus=cpus,
        gpus=draw(st.integers(0, 16).map(ids)),
        memory_bytes=draw(st.integers(GIB // 4, 2048 * GIB)),
        shared_memory_bytes=draw(st.integers(0, 1024 * GIB)),
    )


@given(runs(), machines())
def test_every_size_is_positive_and_divides_over_the_nodes(run: Run, machine: Machine) -> None:
    found = size(run, machine)
    assert min(found.trainers, found.trainer_nodes, found.cpus_per_trainer, found.data_nodes, found.data_cpus) >= 1
    assert found.trainers <= run.spec.trainer.num_processes
    assert found.trainers % found.trainer_nodes == 0
    assert found.trainer_nodes <= run.spec.trainer.num_nodes
    assert found.data_nodes <= min(run.spec.data.num_nodes, found.data_cpus)
    assert 128 << 20 <= found.object_store_bytes <= 2 * GIB


@given(runs(), machines())
def test_no_more_cpus_than_there_are_and_one_for_each_group(run: Run, machine: Machine) -> None:
    found = size(run, machine)
    assert found.trainers * found.cpus_per_trainer + found.data_cpus <= max(2, machine.cpus)


@given(runs(), machines())
def test_no_more_gpus_than_there_are(run: Run, machine: Machine) -> None:
    found = size(run, machine)
    assert found.trainers * found.gpus_per_trainer <= len(machine.gpus)
    wanted = run.spec.trainer.resources_per_node.gpus // run.spec.trainer.processes_per_node
    assert (found.gpus_per_trainer > 0) == (wanted > 0 and len(machine.gpus) > 0)
    assert found.gpus_per_trainer <= wanted, "a trainer would hold GPUs that it does not use"


@given(runs(), machines())
def test_no_two_nodes_share_a_gpu(run: Run, machine: Machine) -> None:
    found = size(run, machine)
    given_out = [gpu for index in range(found.trainer_nodes) for gpu in found.gpus_of_node(index)]
    assert len(given_out) == len(set(given_out)) == found.trainers * found.gpus_per_trainer
    assert len(given_out) + found.idle_gpus == len(machine.gpus)


@given(runs(), machines(), st.integers(1, 300), st.integers(1, 300))
def test_a_persons_own_choice_is_kept(run: Run, machine: Machine, trainers: int, data_cpus: int) -> None:
    found = size(run, machine, trainers=trainers, data_cpus=data_cpus)
    assert (found.trainers, found.data_cpus) == (trainers, data_cpus)
    assert found.trainers % found.trainer_nodes == 0
    assert found.cpus_per_trainer >= 1


def test_the_shape_is_said_in_one_line() -> None:
    run = run_of(trainer=trainer(nodes=2, processes=2, cpu=8, gpus=2), data={"numNodes": 8})
    small = size(run, Machine(cpus=2, gpus=(), memory_bytes=8 * GIB, shared_memory_bytes=4 * GIB))
    assert small.sentence(run) == (
        "this machine: 1 trainer with 1 CPU each (the run asks for 4), 1 CPU for data on 1 virtual node "
        "(the run asks for 8 nodes)"
    )
    large = size(run, Machine(cpus=32, gpus=ids(5), memory_bytes=64 * GIB, shared_memory_bytes=32 * GIB))
    one = run_of(trainer=trainer(nodes=1), data={"numNodes": 1})
    assert size(one, Machine(cpus=2, gpus=(), memory_bytes=8 * GIB, shared_memory_bytes=4 * GIB)).sentence(one) == (
        "this machine: 1 trainer with 1 CPU each (the run asks for 1), 1 CPU for data on 1 virtual node "
        "(the run asks for 1 node)"
    )
    assert large.sentence(run) == (
        "this machine: 4 trainers with 4 CPU and 1 GPU each (the run asks for 4), 16 CPUs for data on "
        "8 virtual nodes (the run asks for 8 nodes); 1 GPU of this machine not used"
    )


def test_this_machine_has_something() -> None:
    found = this_machine()
    assert found.cpus >= 1
    assert found.memory_bytes > 64 << 20 and found.shared_memory_bytes > 0


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (None, ("0", "1", "2", "3")),
        ("3", ("3",)),
        ("2, 0", ("2", "0")),
        ("GPU-5f,MIG-7a", ("GPU-5f", "MIG-7a")),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1,-1,2", ("1",)),
        ("1,9,2", ("1",)),
    ],
    ids=str,
)
def test_cuda_visible_devices_says_which_gpus_count(setting: str | None, found: tuple[str, ...]) -> None:
    assert visible_gpus(setting, 4) == found


def test_a_variable_makes_no_gpu() -> None:
    assert visible_gpus("0,1", 0) == ()
