"""`python -m trainingrun_trainer.local FILE`: what `trainingrun local` becomes after it has checked its options."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainingrun.contract import variables
from trainingrun.contract.exits import Exit
from trainingrun.contract.records import LOG_DIRECTORY, Record
from trainingrun.display import JsonDisplay, PlainDisplay, display_for
from trainingrun.errors import InvalidSpec
from trainingrun.spec import Run
from trainingrun.spec.documents import load_runs
from trainingrun_trainer.driver.event_log import EventLog, next_attempt
from trainingrun_trainer.driver.shape import storage_of, workers_of
from trainingrun_trainer.driver.trackers import trackers_of
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration, NodesLost
from trainingrun_trainer.local.adapt import Adapted, adapt
from trainingrun_trainer.local.code import code_folder, python_path, with_code
from trainingrun_trainer.local.lock import only_one
from trainingrun_trainer.local.machine import Size, size
from trainingrun_trainer.local.place import Place
from trainingrun_trainer.local.supervisor import (
    Display,
    Launch,
    Supervisor,
    end_without_driver,
    notice,
)
from trainingrun_trainer.machine import CUDA_VISIBLE_DEVICES, this_machine
from trainingrun_trainer.placement import Workers
from trainingrun_trainer.storage import RunStorage

# In the run's folder: what belongs to this machine.
WORK_DIRECTORY = "local"


@dataclass(frozen=True)
class LocalOptions:
    """See the help texts in `parse`."""

    file: Path
    code: Path | None
    address: str | None
    trainers: int | None
    data_cpus: int | None
    volume: Path | None
    json: bool
    verbose: bool
    explain: bool
    debug: bool
    keep: int | None


def parse(arguments: list[str]) -> LocalOptions:
    """The options. `trainingrun local` has checked them already and shows their help."""
    parser = argparse.ArgumentParser(prog="trainingrun local")
    parser.add_argument("file", type=Path)
    parser.add_argument("--code", type=Path)
    parser.add_argument("--address")
    parser.add_argument("--trainers", type=int)
    parser.add_argument("--data-cpus", type=int)
    parser.add_argument("--volume", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--explain", action="store_true")
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--keep", type=int)
    return LocalOptions(**vars(parser.parse_args(arguments)))


def main(arguments: list[str]) -> int:
    """Train the run of a file on this machine; returns the exit code."""
    options = parse(arguments)
    try:
        runs = load_runs(options.file)
    except InvalidSpec as error:
        print(error, file=sys.stderr)
        return int(Exit.INVALID_CONFIG)
    if len(runs) != 1:
        print(f"{options.file}: found {len(runs)} TrainingRuns, allowed: exactly one", file=sys.stderr)
        return int(Exit.INVALID_CONFIG)
    try:
        adapted = adapt(with_code(runs[0], options.code), options.volume)
        do = _explain if options.explain else _debug if options.debug else _train
        return int(do(adapted, options))
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # whatever keeps a run from starting here
        failure = failure_of(error)
        print(failure.text, file=sys.stderr)
        return int(failure.exit)


def _explain(adapted: Adapted, options: LocalOptions) -> Exit:
    """Show what becomes of the first rows, in this process: nothing is started."""
    from trainingrun_trainer.local.explain import explain

    os.environ.update(adapted.variables)
    workers = workers_of(adapted.run)
    if not options.address:
        shape = size(adapted.run, this_machine(), trainers=options.trainers, data_cpus=options.data_cpus)
        workers = Workers(shape.trainers, gpus=shape.gpus_per_trainer, cpus=shape.cpus_per_trainer)
    with tempfile.TemporaryDirectory() as directory:
        sys.path.insert(0, str(code_folder(adapted.run, options.file, options.code, Path(directory))))
        return explain(adapted.run, workers)


def _debug(adapted: Adapted, options: LocalOptions) -> Exit:
    """Train in this process, without Ray: see `local.debug`."""
    if adapted.run.spec.recipe is None:
        raise InvalidConfiguration(
            "spec.trainer.command: found a command of the run's own, allowed with --debug: a recipe, which alone can "
            "be trained in one process; leave --debug out, or start the command in a debugger"
        )
    shape = size(adapted.run, this_machine(), trainers=1)
    # What Ray would set for a trainer of that size. All of it has to be known before torch is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", str(shape.cpus_per_trainer))
    os.environ[CUDA_VISIBLE_DEVICES] = ",".join(shape.gpus)
    os.environ |= adapted.variables

    with _run_folder(adapted) as (storage, folder):
        code = code_folder(adapted.run, options.file, options.code, folder / WORK_DIRECTORY)
        sys.path.insert(0, str(code))
        os.environ["PYTHONPATH"] = python_path(code)
        from trainingrun_trainer.local.debug import debug

        # A live view would draw over the debugger.
        display = JsonDisplay(sys.stdout) if options.json else PlainDisplay(sys.stdout, report=folder / "report.html")
        attempt = next_attempt(storage)
        log = EventLog(storage, attempt, trackers_of(adapted.run, storage, attempt, attempt))

        def emit(record: Record) -> None:
            display.emit(record)
            log.emit(record)

        _tell_adapted(adapted, attempt, display)
        last = debug(adapted.run, shape, attempt, emit)
        emit(last)
        log.close()
        _report(storage, folder)
        display.close()
        return Exit(last.exit_code)


def _train(adapted: Adapted, options: LocalOptions) -> Exit:
    os.environ.update(adapted.variables)
    with _run_folder(adapted) as (storage, folder):
        code = code_folder(adapted.run, options.file, options.code, folder / WORK_DIRECTORY)
        # Every Ray process must find the run's modules, so this comes before any is started.
        os.environ["PYTHONPATH"] = python_path(code)
        display = display_for(sys.stdout, json=options.json, report=folder / "report.html")
        attempt, began = next_attempt(storage), time.time()
        try:
            ended = _attempts(adapted, options, code, attempt, display)
            _report(storage, folder)
            return ended
        except NodesLost as error:
            display.emit(end_without_driver(Exit.INFRASTRUCTURE, str(error), attempt, began))
            return Exit.INFRASTRUCTURE
        finally:
            display.close()


@contextlib.contextmanager
def _run_folder(adapted: Adapted) -> Iterator[tuple[RunStorage, Path]]:
    """The run's storage and folder, for as long as nobody else may train it."""
    storage = storage_of(adapted.run)
    folder = _folder(storage)
    with only_one(folder / WORK_DIRECTORY):
        yield storage, folder


def _tell_adapted(adapted: Adapted, attempt: int, display: Display) -> None:
    if adapted.not_applied:
        display.emit(notice(f"not applied on one machine: {', '.join(adapted.not_applied)}", attempt))
    if adapted.volume is not None:
        display.emit(notice(f"{adapted.volume} stands in for the persistent volume", attempt))


def _attempts(adapted: Adapted, options: LocalOptions, code: Path, attempt: int, display: Display) -> Exit:
    _tell_adapted(adapted, attempt, display)
    storage = storage_of(adapted.run)
    shape: Size | None = None
    if not options.address:
        shape = size(adapted.run, this_machine(), trainers=options.trainers, data_cpus=options.data_cpus)
        display.emit(notice(shape.sentence(adapted.run), attempt))
    launch = Launch(
        run=adapted.run,
        storage=storage,
        variables=_driver_variables(shape, adapted.run, options),
        work_directory=_folder(storage) / WORK_DIRECTORY,
        is_verbose=options.verbose,
        directory=code if adapted.run.spec.code else None,
    )
    place = Place(shape, options.address, options.keep, lambda line: display.emit(notice(line, attempt)))
    supervisor = Supervisor(launch, display, lambda line: _show(line, options), place.start_driver)
    with contextlib.closing(place):
        with contextlib.closing(supervisor):
            supervisor.prepare()
            with place.cluster() as address:
                ended = supervisor.run(address)
        place.keep()
    return ended


def _folder(storage: RunStorage) -> Path:
    """The run's folder. Where storage is elsewhere, what belongs here is below the current directory."""
    return storage.local_directory or Path(".trainingrun") / storage.name


def _report(storage: RunStorage, folder: Path) -> None:
    if storage.local_directory is None:
        storage.download(LOG_DIRECTORY, folder / LOG_DIRECTORY)
    from trainingrun.report import write_report  # only now: nobody has to wait for its templates before training

    write_report(folder)


def _driver_variables(shape: Size | None, run: Run, options: LocalOptions) -> dict[str, str]:
    """What a driver's environment has besides this one's: the variables that a user or the operator would set."""
    workers = workers_of(run)
    values = {
        variables.JSON: "1",
        variables.NUM_WORKERS: shape.trainers if shape else options.trainers or workers.count,
        variables.WORKER_CPUS: shape.cpus_per_trainer if shape else workers.cpus,
        variables.WORKER_GPUS: shape.gpus_per_trainer if shape else workers.gpus,
    }
    if shape is not None:
        values[variables.NODES_HAVE_PATH] = "1"  # they inherit it from this process
    return {name: str(value) for name, value in values.items()}


def _show(line: str, options: LocalOptions) -> None:
    """Pass on what the author's code prints; with --json it must not mix with the records."""
    print(line, file=sys.stderr if options.json else sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
