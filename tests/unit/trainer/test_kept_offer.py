"""Whether a run would get from a new cluster what the kept one was started with."""

from __future__ import annotations

import dataclasses
import importlib.util

import pytest

from trainingrun_trainer.driver.prestart import Wanted
from trainingrun_trainer.local.kept.offer import difference, offer_of
from trainingrun_trainer.local.kept.warming import DRIVER, PRELOADED, wanted
from trainingrun_trainer.local.machine import Size

SIZE = Size(
    trainers=4,
    trainer_nodes=2,
    cpus_per_trainer=1,
    gpus_per_trainer=0,
    data_nodes=2,
    data_cpus=3,
    object_store_bytes=128 << 20,
)
KEPT = offer_of(SIZE, "/work", "/venv/bin/python", "7f", {"PATH": "/bin", "TOKEN": "secret"})


def test_the_same_fits() -> None:
    assert difference(KEPT, KEPT) is None


def test_the_memory_that_happens_to_be_free_and_the_terminal_do_not_matter() -> None:
    size = dataclasses.replace(SIZE, object_store_bytes=256 << 20)
    environment = {"PATH": "/bin", "TOKEN": "secret", "COLUMNS": "80", "SSH_TTY": "/dev/pts/3", "SHLVL": "2"}
    assert difference(KEPT, offer_of(size, "/work", "/venv/bin/python", "7f", environment)) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"size": dataclasses.replace(SIZE, trainers=2)},
            "it has 4 trainers with 1 CPU on 2 nodes, 3 CPUs for data on 2 nodes, and this run gets 2 trainers with "
            "1 CPU on 2 nodes, 3 CPUs for data on 2 nodes",
        ),
        ({"python": "/other/bin/python"}, "it runs with /venv/bin/python, and this run with /other/bin/python"),
        ({"packages": "80"}, "installed packages have changed since it was started"),
        ({"directory": "/home"}, "it was started in /work, and this run in /home"),
    ],
)
def test_what_differs_is_said(change: dict[str, object], sentence: str) -> None:
    assert difference(KEPT, dataclasses.replace(KEPT, **change)) == sentence


def test_variables_that_differ_are_named_and_their_values_are_not() -> None:
    environment = {"PATH": "/bin", "TOKEN": "another", "A": "1", "B": "1", "C": "1"}
    sentence = difference(KEPT, offer_of(SIZE, "/work", "/venv/bin/python", "7f", environment))
    assert sentence == "other values in the environment: A, B, C and 1 more"
    assert "secret" not in repr(KEPT)


def test_each_node_gets_the_processes_that_a_run_needs_on_it() -> None:
    """Those of the driver and of Ray Train's controller are on the head."""
    assert wanted(SIZE) == {
        "data-0": Wanted(plain=4, control=4),
        "data-1": Wanted(plain=1),
        "trainer-0": Wanted(train=2),
        "trainer-1": Wanted(train=2),
    }


def test_what_is_loaded_ahead_is_there() -> None:
    """Ray only logs what it cannot load, and a run would start later without a word."""
    modules = {*DRIVER, *PRELOADED["data"], *PRELOADED["trainer"]}
    assert [module for module in sorted(modules) if importlib.util.find_spec(module) is None] == []
