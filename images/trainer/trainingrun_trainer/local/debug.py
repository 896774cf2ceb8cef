"""`trainingrun local --debug`: one attempt at a run in this process and this thread, where a debugger has its terminal.

Without Ray there is one rank and no data worker. Everything that decides or computes is what a cluster runs; only what
carries news, rows and signals between processes is done without them here. It must load no Ray: users wait for it.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator

import torch
import torch.distributed as dist

from trainingrun.contract.exits import Exit
from trainingrun.contract.records import AttemptEnded, Notice, Placement, Record
from trainingrun.spec import Run
from trainingrun_trainer.data.caching import try_steps
from trainingrun_trainer.driver.attempt_records import ended
from trainingrun_trainer.driver.datasets import datasets_of
from trainingrun_trainer.driver.decisions import decisions, stored_columns
from trainingrun_trainer.driver.devices import devices_here, use_of, used_gpus
from trainingrun_trainer.driver.folder_hold import Waiting, folder_held
from trainingrun_trainer.driver.plan import Plan, plan_of
from trainingrun_trainer.driver.shape import storage_of
from trainingrun_trainer.explanation import data_sentence
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import Failure
from trainingrun_trainer.failures.quitting import has_quit
from trainingrun_trainer.local.direct_driver import DirectDriver
from trainingrun_trainer.local.machine import Size
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.pool.budget import share_of
from trainingrun_trainer.pool.own_process import HERE, OwnRows
from trainingrun_trainer.pool.pass_plans import Pool
from trainingrun_trainer.pool.sizing import Limits
from trainingrun_trainer.train.beside import SameThread
from trainingrun_trainer.train.checkpoint_book import is_trained
from trainingrun_trainer.train.initial import initial_of
from trainingrun_trainer.train.lockstep import Lockstep
from trainingrun_trainer.train.loop import train
from trainingrun_trainer.train.opening import Rank, Task, open_session


def debug(run: Run, size: Size, attempt: int, emit: Callable[[Record], None]) -> AttemptEnded:
    """Train until the end, whatever it is; returns the attempt's last record, which is not emitted.

    `size` is this machine's share for one trainer. What the author's code raises is shown with its whole traceback.
    """
    began = time.time()
    storage = storage_of(run)
    driver = DirectDriver(run, storage, attempt, emit)
    driver.listen()
    try:
        storage.check(is_first=not attempt)
        waiting = Waiting(lambda message: driver.notice(message, level="Warning"), lambda: driver.stop is not None)
        with folder_held(run, storage, attempt, waiting) as folder:
            verdict = _train(run, size, attempt, driver, folder.fence)
    except KeyboardInterrupt:
        verdict = _aborted("interrupted")
    except SystemExit as error:
        verdict = Failure(
            Exit.USER_ERROR,
            f"a function of the run, or a debugger in it, has left the program: sys.exit({error.code!r})",
        )
    except Exception as error:
        verdict = _aborted("the debugger was quit") if has_quit(error) else failure_of(error)
        if verdict.exit in (Exit.INVALID_CONFIG, Exit.USER_ERROR):
            _show_cause(error)
    return ended(verdict, attempt, began)


def _train(run: Run, size: Size, attempt: int, driver: DirectDriver, fence: str | None) -> Failure:
    plan = plan_of(run, Workers(1, gpus=size.gpus_per_trainer, cpus=float(size.cpus_per_trainer)))
    if is_trained(plan.storage, plan.recipe.epochs):
        return Failure(Exit.COMPLETE, "all epochs were already trained; there was nothing to do")
    _tell_what_is_planned(plan, driver)
    if driver.stop is not None:
        return Failure(driver.stop, "stopped before training began")
    budget_bytes = share_of(size.object_store_bytes)
    rows = OwnRows(_pool(plan), lambda level, message: driver.notice(message, level=level), budget_bytes)
    rows.build()
    initial = initial_of(run, plan.storage)
    task = Task(run, plan.storage, attempt, plan.listings["train"].rows, plan.recorded(), fence, initial)
    try:
        with _alone(plan.workers, driver) as device:
            rank = Rank(Lockstep(0, 1), device, HERE, 1, driver, rows, SameThread())
            train(open_session(task, rank))
    finally:
        driver.tell(Placement.kind, {"data_rows": dict(rows.rows_by_node), "trainer_ranks": driver.ranks})
    if driver.is_finished:
        return Failure(Exit.COMPLETE, "all epochs are trained")
    stopped = driver.stop or Exit.PREEMPTED
    return Failure(stopped, "stopped after saving a checkpoint; run it again to continue from there")


def _tell_what_is_planned(plan: Plan, driver: DirectDriver) -> None:
    for listing in plan.listings.values():
        for sentence in listing.notices:
            driver.notice(sentence, level="Warning")
    for sentence in (*_differences(plan), data_sentence(stored_columns(plan.listings["train"])), *decisions(plan)):
        driver.notice(sentence)


def _differences(plan: Plan) -> list[str]:
    """What a user should know who compares this with other runs of the same file."""
    said = [
        "--debug: one process without Ray, which also makes the rows: pace and data stall say nothing about a cluster"
    ]
    asked = plan.run.spec.trainer.num_processes
    if asked > 1:
        said.append(
            f"--debug trains with one trainer, and the run asks for {asked}: steps have as many rows, but other ones, "
            "so losses are those of `trainingrun local --trainers 1`"
        )
    return said


def _pool(plan: Plan) -> Pool:
    return Pool(
        datasets=datasets_of(plan, try_steps),
        world_size=1,
        options={},
        limits=Limits(1, 1, plan.run.spec.data.target_stall_percentage),
    )


@contextlib.contextmanager
def _alone(workers: Workers, driver: DirectDriver) -> Iterator[torch.device]:
    """A group of one rank, for hooks that exchange values with the others; yields the device to train on."""
    gpus = used_gpus(workers)
    driver.tell(Notice.kind, use_of([devices_here(gpus)], Workers(1, gpus, workers.cpus)))
    store = dist.HashStore()  # type: ignore[attr-defined]
    dist.init_process_group("nccl" if gpus else "gloo", store=store, rank=0, world_size=1)
    try:
        yield torch.device("cuda", 0) if gpus else torch.device("cpu")
    finally:
        dist.destroy_process_group()


def _aborted(how: str) -> Failure:
    return Failure(Exit.ABORTED, f"{how}; run it again to continue from the last checkpoint")


def _show_cause(error: BaseException) -> None:
    """Print the traceback of what the author's code, or a library that it calls, has raised to lead to `error`."""
    cause: BaseException | None = error
    while cause is not None and type(cause).__module__.startswith("trainingrun"):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        traceback.print_exception(cause, file=sys.stderr)
