"""A class among the steps is built once in a process, whoever uses it, with what a data worker is given for it."""

from __future__ import annotations

import pickle

import author_classes
import pytest
from block_samples import chain_of
from test_chain import labels, step

from trainingrun_trainer.data.transform import Chain, worker_options
from trainingrun_trainer.failures.errors import DataError, UserCodeError


def test_a_class_is_built_once_and_kept() -> None:
    author_classes.Counter.built = 0
    chain = Chain((step(7, "Counter", "Class", parameters={"start": 5}, batch_size=3),))
    chain.build()
    assert author_classes.Counter.built == 1
    made = chain(labels())
    assert made.column("call").to_pylist() == [6, 6, 6, 7, 7, 7] and made.column("told").to_pylist() == [True] * 6
    assert len(set(made.column("drawn").to_pylist())) == 6
    validation = pickle.loads(pickle.dumps(chain.for_training(False)))(labels(1))  # noqa: S301
    assert validation.column("call").to_pylist() == [8] and validation.column("told").to_pylist() == [False]
    assert author_classes.Counter.built == 1
    other = Chain((step(8, "Counter", "Class", parameters={"start": 5}),))(labels(1))
    assert other.column("call").to_pylist() == [6] and author_classes.Counter.built == 2


def test_a_class_that_cannot_be_built_is_tried_once_and_named() -> None:
    author_classes.Counter.built = 0
    chain = Chain((step(9, "Counter", "Class", parameters={"start": -1}),))
    for attempt in (chain.build, lambda: chain(labels()), chain.build):
        with pytest.raises(UserCodeError) as caught:
            attempt()
        assert caught.value.text.startswith("spec.recipe.transforms[9] (author_classes:Counter): building it failed")
        assert caught.value.text.endswith("ValueError: start -1 is negative")
    assert author_classes.Counter.built == 1


def test_a_client_whose_server_is_down_is_tried_again() -> None:
    author_classes.Unreachable.built = 0
    for _ in range(2):
        with pytest.raises(DataError, match="building it failed: ConnectionRefusedError: no database") as caught:
            Chain((step(3, "Unreachable", "Class"),)).build()
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert author_classes.Unreachable.built == 2


def test_data_workers_get_the_most_that_a_step_asks_for() -> None:
    assert worker_options(None) == worker_options(chain_of("add", "Batch")) == {"num_cpus": 1.0}
    chain = Chain(
        (
            step(0, "Counter", "Class", cpus=0.5, memory=1 << 30, concurrency=8),
            step(1, "add", "Batch"),
            step(2, "Counter", "Class", gpus=0.25, memory=2 << 30, concurrency=4),
        )
    )
    assert worker_options(chain) == {"num_cpus": 0.5, "memory": 2 << 30, "num_gpus": 0.25}
    assert chain.concurrency == 4 and chain_of("add", "Batch").concurrency is None
