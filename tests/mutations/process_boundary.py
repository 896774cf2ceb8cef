"""Stands in for Ray in one process: calls between processes become calls, a Ray Dataset becomes its own tasks in turn.

Only the boundary between processes is replaced. What runs on either side of it, on the driver, in data tasks, in the
hub and on the trainer, is the real code; there is one trainer process. It must know nothing about training.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

import pyarrow as pa
import ray
import ray.data
import ray.train
import ray.train.torch
import torch

_NODE = "0" * 56
_POLL_SECONDS = 0.02


class Answer:
    """What a remote call gives at once; `ray.get` takes the value out of it, or raises what the call has raised."""

    def __init__(self, function: Callable[[], Any]):
        self._error: Exception | None = None
        try:
            self._value = function()
        except Exception as error:
            self._error = error

    def get(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class _Remote:
    """A function or class that `ray.remote` was given; also one method of an actor."""

    def __init__(self, target: Any):
        self._target = target

    def options(self, **options: Any) -> _Remote:
        return self

    def remote(self, *arguments: Any, **named: Any) -> Any:
        if inspect.isclass(self._target):
            return _Actor(self._target(*arguments, **named))
        return Answer(lambda: self._target(*arguments, **named))


class _Actor:
    """A handle whose methods are called one after the other, as in an actor's process. Actors die with the driver."""

    alive: ClassVar[list[_Actor]] = []

    def __init__(self, instance: Any):
        self._instance = instance
        self._lock = threading.Lock()
        self.alive.append(self)

    def __getattr__(self, name: str) -> _Remote:
        def call(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                if self not in self.alive:
                    raise ray.exceptions.RayActorError()
                return getattr(self._instance, name)(*arguments, **named)

        return _Remote(call)


class Dataset:
    """What `ray.data.read_datasource` returns: read tasks, and functions for blocks of so many rows."""

    def __init__(self, source: Any):
        self._source = source
        self._stages: list[tuple[Callable[..., Any], int | None, dict[str, Any]]] = []
        self._iter_stats = _NoStats()

    def map_batches(
        self,
        function: Callable[..., Any],
        *,
        batch_size: int | None = None,
        fn_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> Dataset:
        self._stages.append((function, batch_size, fn_kwargs or {}))
        return self

    def blocks(self) -> Iterator[pa.Table]:
        """One execution: an epoch."""
        tables = (table for task in self._source.get_read_tasks(1) for table in task())
        for function, rows, named in self._stages:
            tables = _mapped(function, named, _cut(tables, rows))
        return tables

    def iter_torch_batches(
        self,
        *,
        batch_size: int | None,
        collate_fn: Callable[[pa.Table], Any],
        device: Any = None,
        local_shuffle_buffer_size: int | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        assert local_shuffle_buffer_size is None, "no example shuffles again on the trainer"
        for table in _cut(self.blocks(), batch_size):
            yield collate_fn(table.combine_chunks())

    def iter_batches(self, *, batch_size: int | None, batch_format: str = "pyarrow", **options: Any) -> Iterator[Any]:
        assert batch_format == "pyarrow"
        yield from _cut(self.blocks(), batch_size)


class _NoStats:
    """Ray's counters of an iterator: nothing waits here."""

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(get=lambda: 0.0)


class _Trainer:
    """Ray Train's trainer: `fit` runs the training function here, as rank 0 of 1."""

    def __init__(self, train: Callable[..., None], *, train_loop_config: Any, datasets: Any, **options: Any):
        self._train = train
        self._config = train_loop_config
        self._datasets = datasets

    def fit(self) -> None:
        context = SimpleNamespace(get_world_rank=lambda: 0, get_world_size=lambda: 1, get_local_rank=lambda: 0)
        with (
            mock.patch.object(ray.train, "get_context", lambda: context),
            mock.patch.object(ray.train, "get_dataset_shard", self._datasets.__getitem__),
        ):
            self._train(self._config)


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """Within it nothing of Ray is started; threads that were begun within it have ended when it is left."""
    before = set(threading.enumerate())
    with contextlib.ExitStack() as patches:
        for target, name, value in _replacements():
            patches.enter_context(mock.patch.object(target, name, value))
        try:
            yield
        finally:
            _Actor.alive.clear()
            _join(set(threading.enumerate()) - before)


def _replacements() -> list[tuple[Any, str, Any]]:
    from trainingrun_trainer.driver import attempt, preemption, start_watch, torch_trainer
    from trainingrun_trainer.train import reporter

    node = SimpleNamespace(get_node_id=lambda: _NODE)
    return [
        (ray, "get", _get),
        (ray, "wait", lambda answers, timeout=None: (answers, [])),
        (ray, "remote", _remote),
        (ray, "nodes", list),
        (ray, "get_runtime_context", lambda: node),
        (ray.data, "read_datasource", lambda source, **options: Dataset(source)),
        (ray.train, "report", lambda *values, **named: None),
        (ray.train.torch, "prepare_model", lambda model, move_to_device=None, **options: model),
        (ray.train.torch, "get_device", lambda: torch.device("cpu")),
        (torch_trainer, "TorchTrainer", _Trainer),
        (preemption, "draining_nodes", set),
        (start_watch.ray._private.state, "available_resources_per_node", dict),
        (start_watch, "placement_group_table", dict),
        (attempt, "_POLL_SECONDS", _POLL_SECONDS),
        (reporter, "_POLL_SECONDS", _POLL_SECONDS),
    ]


def _get(answers: Any) -> Any:
    return [answer.get() for answer in answers] if isinstance(answers, list) else answers.get()


def _remote(target: Any = None, **options: Any) -> Any:
    return (lambda named: _Remote(named)) if target is None else _Remote(target)


def _mapped(function: Callable[..., Any], named: dict[str, Any], tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        made = function(table, **named)
        yield from [made] if isinstance(made, pa.Table) else made


def _cut(tables: Iterator[pa.Table], rows: int | None) -> Iterator[pa.Table]:
    """The same rows in tables of `rows`, the last one shorter; as they come where `rows` is None."""
    if rows is None:
        yield from tables
        return
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(part.num_rows for part in waiting) >= rows:
            # Ray joins blocks whose columns differ by filling in nulls.
            joined = pa.concat_tables(waiting, promote_options="default")
            yield joined.slice(0, rows)
            waiting = [joined.slice(rows)]
    if sum(part.num_rows for part in waiting):
        yield pa.concat_tables(waiting, promote_options="default")


def _join(threads: set[threading.Thread]) -> None:
    deadline = time.monotonic() + 30
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name} still runs"
