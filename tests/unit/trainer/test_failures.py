"""Whose failure it is decides whether a run is tried again."""

from __future__ import annotations

import pytest
import ray
import torch

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import (
    DataError,
    Failure,
    InvalidConfiguration,
    LayoutError,
    NodesLost,
    UserCodeError,
)


def caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def task_error(cause: Exception) -> BaseException:
    """What Ray raises where a remote function has raised `cause`."""
    error = ray.exceptions.RayTaskError("read", "Traceback ...", cause)
    return error.as_instanceof_cause()


TABLE = [
    (InvalidConfiguration("wrong"), Failure(Exit.INVALID_CONFIG, "wrong")),
    (DataError("a.parquet: torn"), Failure(Exit.USER_ERROR, "a.parquet: torn")),
    (LayoutError("row 3"), Failure(Exit.USER_ERROR, "row 3")),
    (UserCodeError("their lines"), Failure(Exit.USER_ERROR, "their lines")),
    (task_error(UserCodeError("their lines")), Failure(Exit.USER_ERROR, "their lines")),
    (task_error(task_error(DataError("deep"))), Failure(Exit.USER_ERROR, "deep")),  # type: ignore[arg-type]
    (task_error(InvalidConfiguration("far")), Failure(Exit.INVALID_CONFIG, "far")),
    (caused(RuntimeError("wrapped"), DataError("inside")), Failure(Exit.USER_ERROR, "inside")),
    (ValueError("mine"), Failure(Exit.USER_ERROR, "ValueError: mine")),
    (RuntimeError("mat1 and mat2"), Failure(Exit.USER_ERROR, "RuntimeError: mat1 and mat2")),
    (ConnectionResetError("gone"), Failure(Exit.INFRASTRUCTURE, "ConnectionResetError: gone")),
    (
        RuntimeError("[gloo] Connection closed by peer [10.0.0.2]:1\nmore"),
        Failure(Exit.INFRASTRUCTURE, "RuntimeError: [gloo] Connection closed by peer [10.0.0.2]:1"),
    ),
    (ValueError("connection closed by peer"), Failure(Exit.USER_ERROR, "ValueError: connection closed by peer")),
    (
        torch.distributed.DistBackendError("NCCL error"),
        Failure(Exit.INFRASTRUCTURE, "DistBackendError: NCCL error"),
    ),
    (
        ray.exceptions.NodeDiedError("the node is gone"),
        Failure(Exit.INFRASTRUCTURE, "NodeDiedError: the node is gone"),
    ),
    (
        caused(RuntimeError("outer"), ray.exceptions.ObjectLostError("ab" * 28, None, "")),
        None,
    ),
    (
        torch.OutOfMemoryError("CUDA out of memory"),
        Failure(Exit.USER_ERROR, "torch.OutOfMemoryError: CUDA out of memory"),
    ),
    (NodesLost("room for 1"), Failure(Exit.INFRASTRUCTURE, "room for 1")),
    (KeyError(), Failure(Exit.USER_ERROR, "KeyError")),
]


@pytest.mark.parametrize(
    ("error", "expected"), TABLE, ids=[f"{i}-{type(e).__name__}" for i, (e, _) in enumerate(TABLE)]
)
def test_a_failure_has_an_owner(error: BaseException, expected: Failure | None) -> None:
    found = failure_of(error)
    if expected is None:
        assert found.exit is Exit.INFRASTRUCTURE
    else:
        assert found == expected


def test_a_task_that_raised_something_else_is_the_authors() -> None:
    found = failure_of(task_error(ZeroDivisionError("division by zero")))
    assert found.exit is Exit.USER_ERROR
    assert "ZeroDivisionError" in found.text


def test_errors_that_point_at_each_other_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert failure_of(first).exit is Exit.USER_ERROR


def test_exit_codes_never_change() -> None:
    assert {code.name: (int(code), code.outcome) for code in Exit} == {
        "COMPLETE": (0, "Complete"),
        "ABORTED": (10, "Aborted"),
        "PREEMPTED": (11, "Preempted"),
        "INVALID_CONFIG": (12, "InvalidConfig"),
        "USER_ERROR": (13, "UserError"),
        "INFRASTRUCTURE": (14, "Infrastructure"),
    }
