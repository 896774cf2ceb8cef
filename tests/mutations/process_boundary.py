"""Stands in for Ray in one process: calls between processes become calls, and the hub's event loop a thread.

Only the boundary between processes is replaced. What runs on either side of it, on the driver, in the data worker, in
the hub and on the trainer, is the real code; there is one data worker and one trainer. It must know nothing about
training.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

import ray
import ray.train
import ray.train.torch
import torch

from trainingrun_trainer.placement import DATA_SELECTOR

_NODE = {
    "NodeID": "0" * 56,
    "NodeName": "data-0",
    "Alive": True,
    "Resources": {"CPU": 1.0, "object_store_memory": 1 << 30},
    "Labels": DATA_SELECTOR,
}
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 120


class Answer:
    """What a remote call gives: `ray.get` waits for its value, and raises what the call has raised."""

    def __init__(self, future: Future[Any]):
        self._future = future

    def get(self) -> Any:
        return self._future.result(_PATIENCE_SECONDS)

    def is_there(self) -> bool:
        return self._future.done()

    def hex(self) -> str:
        return f"{id(self):x}"

    def __await__(self) -> Any:
        return asyncio.wrap_future(self._future).__await__()


class _Remote:
    """A class that `ray.remote` was given; also one method of an actor."""

    def __init__(self, target: Any):
        self._target = target

    def options(self, **options: Any) -> _Remote:
        return self

    def remote(self, *arguments: Any, **named: Any) -> Any:
        if inspect.isclass(self._target):
            return _Actor(self._target, [*map(_value, arguments)], named)
        return self._target(*arguments, **named)


class _Actor:
    """A handle whose methods are called one after the other, in a thread: an event loop where they are coroutines.

    Actors die with the driver.
    """

    alive: ClassVar[list[_Actor]] = []

    def __init__(self, kind: type, arguments: list[Any], named: dict[str, Any]):
        self._kind = kind
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        methods = [method for name, method in vars(kind).items() if not name.startswith("_")]
        self._is_async = any(inspect.iscoroutinefunction(method) for method in methods)
        self._instance = kind(*arguments, **named)
        self.alive.append(self)
        self._thread = threading.Thread(target=self._run, name=kind.__name__, daemon=True)
        self._thread.start()

    def __getattr__(self, name: str) -> _Remote:
        returns = getattr(getattr(self._kind, name), "__ray_num_returns__", 1)

        def call(*arguments: Any, **named: Any) -> Any:
            if self not in self.alive:
                return _failed(ray.exceptions.RayActorError())
            futures: list[Future[Any]] = [Future() for _ in range(returns)]
            method = getattr(self._instance, name)
            if self._is_async:
                self._loop.call_soon_threadsafe(lambda: self._begin(method, arguments, named, futures))
            else:
                self._calls.put(lambda: _finish(lambda: method(*map(_value, arguments), **named), futures))
            answers = [Answer(future) for future in futures]
            return answers if returns > 1 else answers[0]

        return _Remote(call)

    def end(self) -> None:
        self.alive.remove(self)
        if self._is_async:
            self._loop.call_soon_threadsafe(self._loop.stop)
        else:
            self._calls.put(None)
        # What it still does must not meet the real Ray.
        self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        if self._is_async:
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            return
        while (call := self._calls.get()) is not None:
            call()

    def _begin(self, method: Any, arguments: Any, named: Any, futures: list[Future[Any]]) -> None:
        task = self._loop.create_task(method(*map(_value, arguments), **named))
        task.add_done_callback(lambda done: _finish(_result_of(done), futures))


def _result_of(done: asyncio.Task[Any]) -> Callable[[], Any]:
    def result() -> Any:
        if done.cancelled():
            raise ray.exceptions.RayActorError()
        return done.result()

    return result


def _finish(call: Callable[[], Any], futures: list[Future[Any]]) -> None:
    try:
        value = call()
    except Exception as error:
        for future in _awaited(futures):
            future.set_exception(error)
        return
    parts = value if len(futures) > 1 else [value]
    for future, part in zip(futures, parts, strict=True):
        if _awaited([future]):
            future.set_result(part)


def _awaited(futures: list[Future[Any]]) -> list[Future[Any]]:
    """Those that somebody still waits for: a run may be over while a worker is at its last task."""
    return [future for future in futures if future.set_running_or_notify_cancel()]


def _failed(error: Exception) -> Answer:
    future: Future[Any] = Future()
    future.set_exception(error)
    return Answer(future)


def _value(argument: Any) -> Any:
    return argument.get() if isinstance(argument, Answer) else argument


class _Trainer:
    """Ray Train's trainer: `fit` runs the training function here, as rank 0 of 1."""

    def __init__(self, train: Callable[..., None], *, train_loop_config: Any, **options: Any):
        self._train = train
        self._config = train_loop_config

    def fit(self) -> None:
        context = SimpleNamespace(get_world_rank=lambda: 0, get_world_size=lambda: 1, get_local_rank=lambda: 0)
        with mock.patch.object(ray.train, "get_context", lambda: context):
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
            for actor in [*_Actor.alive]:
                actor.end()
            _join(set(threading.enumerate()) - before)


def _replacements() -> list[tuple[Any, str, Any]]:
    from trainingrun_trainer.driver import attempt, preemption, start_watch, torch_trainer
    from trainingrun_trainer.train import hub_link

    node = SimpleNamespace(get_node_id=lambda: _NODE["NodeID"])
    return [
        (ray, "get", _get),
        (ray, "wait", _wait),
        (ray, "put", lambda value: value),
        (ray, "remote", _remote),
        (ray, "nodes", lambda: [_NODE]),
        (ray, "get_runtime_context", lambda: node),
        (ray.train, "report", lambda *values, **named: None),
        (ray.train.torch, "prepare_model", lambda model, move_to_device=None, **options: model),
        (ray.train.torch, "get_device", lambda: torch.device("cpu")),
        (torch_trainer, "TorchTrainer", _Trainer),
        (preemption, "draining_nodes", set),
        (start_watch.ray._private.state, "available_resources_per_node", dict),
        (start_watch, "placement_group_table", dict),
        (attempt, "_POLL_SECONDS", _POLL_SECONDS),
        (hub_link, "_POLL_SECONDS", _POLL_SECONDS),
    ]


def _get(answers: Any) -> Any:
    return [answer.get() for answer in answers] if isinstance(answers, list) else answers.get()


def _wait(answers: list[Answer], *, timeout: float | None = None, **options: Any) -> tuple[list[Answer], list[Answer]]:
    return [answer for answer in answers if answer.is_there()], [answer for answer in answers if not answer.is_there()]


def _remote(target: Any = None, **options: Any) -> Any:
    return (lambda named: _Remote(named)) if target is None else _Remote(target)


def _join(threads: set[threading.Thread]) -> None:
    deadline = time.monotonic() + 30
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        assert not thread.is_alive(), f"{thread.name} still runs"
