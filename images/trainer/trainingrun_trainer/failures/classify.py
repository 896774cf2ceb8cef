"""Decides whose failure an exception is: the run's configuration, its data, its author's code, or the machines.

Pure: it inspects exceptions and says what they are; what follows is up to the driver. It loads neither Ray nor torch:
who has not loaded them raises none of their exceptions.
"""

from __future__ import annotations

import sys

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.errors import (
    DataError,
    Failure,
    InvalidConfiguration,
    LayoutError,
    NodesLost,
    NonFiniteLoss,
    StorageUnavailable,
    UserCodeError,
)
from trainingrun_trainer.failures.outages import is_outage, outage_of
from trainingrun_trainer.failures.tracebacks import user_traceback

# What gloo and NCCL say on the ranks that survive the loss of another; they have no exception types for it.
_PEER_LOST = (
    "connection closed by peer",
    "connection reset by peer",
    "connection refused",
    "broken pipe",
    "no route to host",
    "connectfullmesh failed",
    "socket timeout",
    "timed out waiting",
    "ncclremoteerror",
    "ncclsystemerror",
    "nccl communicator was aborted",
)


def failure_of(error: BaseException) -> Failure:
    """What `error`, raised on a worker or by `fit`, means."""
    chain = _chain(error)
    for cause in chain:
        if isinstance(cause, _of("ray.exceptions", "RayTaskError")):
            continue  # also an instance of what it wraps, but its text is Ray's own traceback
        is_outage_told = isinstance(cause, InvalidConfiguration | DataError) and outage_of(cause) is not None
        if is_outage_told or isinstance(cause, NodesLost | StorageUnavailable):
            return Failure(Exit.INFRASTRUCTURE, str(cause))
        if isinstance(cause, InvalidConfiguration):
            return Failure(Exit.INVALID_CONFIG, str(cause))
        if isinstance(cause, DataError | LayoutError | NonFiniteLoss):
            return Failure(Exit.USER_ERROR, str(cause))
        if isinstance(cause, UserCodeError):
            return Failure(Exit.USER_ERROR, cause.text)
    if any(_is_infrastructure(cause) for cause in chain):
        return Failure(Exit.INFRASTRUCTURE, _first_line(chain[-1]))
    return Failure(Exit.USER_ERROR, user_traceback(error))


def _chain(error: BaseException) -> list[BaseException]:
    """The exception and what it wraps, outermost first; Ray keeps the original in `cause`."""
    chain: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is not None and all(current is not seen for seen in chain):
            chain.append(current)
            waiting += [getattr(current, "cause", None), current.__cause__, current.__context__]
            # Ray Train's errors for a group of workers and for the controller.
            waiting += [*getattr(current, "worker_failures", {}).values(), getattr(current, "controller_failure", None)]
    return chain


def _is_infrastructure(error: BaseException) -> bool:
    if isinstance(error, _of("ray.exceptions", "RayTaskError")):
        return False  # a wrapper: what it wraps decides
    of_libraries = (*_of("ray.exceptions", "RayError"), *_of("torch.distributed", "DistError"))
    if isinstance(error, of_libraries) or is_outage(error):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in message for words in _PEER_LOST)


def _of(module: str, name: str) -> tuple[type[BaseException], ...]:
    """A library's exception by its name; none while the library is not loaded."""
    loaded = sys.modules.get(module)
    return (getattr(loaded, name),) if loaded is not None else ()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
