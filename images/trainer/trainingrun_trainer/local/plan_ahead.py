"""`python -m trainingrun_trainer.local.plan_ahead FILE`: what `trainingrun plan` becomes once its options are checked.

Measures rows in this process and prints what the run will need in its cluster. Starts no Ray and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import torch

from trainingrun.contract.exits import Exit
from trainingrun.errors import InvalidSpec
from trainingrun.spec import Run
from trainingrun.spec.documents import load_runs
from trainingrun_trainer.data.transform import worker_options
from trainingrun_trainer.driver.plan import Plan, plan_of
from trainingrun_trainer.driver.shape import workers_of
from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.forecast.model import Shape, forecast
from trainingrun_trainer.forecast.words import document, page
from trainingrun_trainer.local.adapt import adapt
from trainingrun_trainer.local.code import code_folder, with_code
from trainingrun_trainer.local.costs import costs_of, trainer_device
from trainingrun_trainer.pool.budget import share_of

# Of a pod's memory Ray gives so much to its object store.
_STORE_SHARE = 0.3


def main(arguments: list[str]) -> int:
    """Print the forecast for the run of a file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="trainingrun plan")
    parser.add_argument("file", type=Path)
    parser.add_argument("--code", type=Path)
    parser.add_argument("--sample", type=int, required=True)
    parser.add_argument("--trainer-rate", type=float)
    parser.add_argument("--volume", type=Path)
    parser.add_argument("--output", required=True)
    options = parser.parse_args(arguments)
    try:
        runs = load_runs(options.file)
        if len(runs) != 1:
            raise InvalidConfiguration(f"{options.file}: found {len(runs)} TrainingRuns, allowed: exactly one")
        adapted = adapt(with_code(runs[0], options.code), options.volume)
        os.environ.update(adapted.variables)
        with tempfile.TemporaryDirectory() as directory:
            sys.path.insert(0, str(code_folder(adapted.run, options.file, options.code, Path(directory))))
            text = _forecast(adapted.run, options.sample, options.trainer_rate, output=options.output)
    except InvalidSpec as error:
        print(error, file=sys.stderr)
        return int(Exit.INVALID_CONFIG)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the author's code may raise anything
        failure = failure_of(error)
        print(failure.text, file=sys.stderr)
        return int(failure.exit)
    print(text)
    return int(Exit.COMPLETE)


def _forecast(run: Run, sample: int, trainer_rate: float | None, *, output: str) -> str:
    plan = plan_of(run, workers_of(run))
    found = forecast(costs_of(plan, sample, trainer_rate), shape_of(plan))
    measured = _measured(plan, sample, trainer_rate)
    return json.dumps(document(found, measured), indent=2) if output == "json" else page(found, measured)


def shape_of(plan: Plan) -> Shape:
    """What the run asks for, as its cluster would give it."""
    data = plan.run.spec.data
    limits = data.resources_per_node.limits
    # As the operator tells Ray: whole cores, and one on less than a core.
    cpus = max(1, int(limits["cpu"].cores))
    return Shape(
        trainers=plan.workers.count,
        data_nodes=data.num_nodes,
        workers_per_node=max(1, int(cpus / worker_options(plan.transform)["num_cpus"])),
        budget_bytes_per_node=share_of(limits["memory"].bytes * _STORE_SHARE),
        max_workers=plan.transform.concurrency if plan.transform is not None else None,
        rows=plan.listings["train"].rows,
        target_stall_percent=data.target_stall_percentage,
    )


def _measured(plan: Plan, sample: int, trainer_rate: float | None) -> str:
    rows = plan.listings["train"].rows
    shown = min(sample, rows) if rows is not None else sample
    device = trainer_device(plan)
    name = plan.run.metadata.name
    if trainer_rate is not None:
        trainers = f"a trainer was said to take {trainer_rate:,.0f} rows/s"
    elif plan.recipe.loop is not None:
        trainers = "trainers were not measured, since spec.recipe.loop trains as it likes"
    elif device is None:
        trainers = "trainers were not measured, since the run asks for a GPU and this machine has none"
    else:
        where = "this CPU" if device.type == "cpu" else torch.cuda.get_device_name(device)
        trainers = f"a trainer was measured on {where} with batches of {plan.share:,} rows"
    return f"{name}: measured on {shown:,} rows with one CPU of this machine; {trainers}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
