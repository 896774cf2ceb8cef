"""Breaks every example in every way and writes docs/mutations.md: `python tests/mutations/try_all.py`."""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import outcome_table
from example_runs import RECIPES
from judging import CASES, Case, Verdict, judge


def write_data(folder: Path) -> None:
    """The data of every example, each in a volume of its own below `folder`."""
    for example in RECIPES:
        (folder / example.name).mkdir(parents=True)
        example.write_data(folder / example.name)


def verdict_of(number: int, data: Path, scratch: Path) -> Verdict:
    """What happens in case `number`."""
    case, place = CASES[number], scratch / str(number)
    with warnings.catch_warnings():
        found = judge(case, data / case.example.name, place)
    return Verdict(found.outcome, outcome_table.without_place(found.sentence, place))


def try_all(processes: int = multiprocessing.cpu_count()) -> dict[Case, Verdict]:
    """What happens in every case."""
    with tempfile.TemporaryDirectory(prefix="trainingrun-mutations-") as folder:
        data, scratch = Path(folder) / "data", Path(folder) / "cases"
        write_data(data)
        scratch.mkdir()
        with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            asked = [pool.submit(verdict_of, number, data, scratch) for number in range(len(CASES))]
            return {case: future.result() for case, future in zip(CASES, asked, strict=True)}


def main() -> int:
    """Write the page; 1 if some mistake passes without a word."""
    verdicts = try_all()
    outcome_table.PAGE.write_text(outcome_table.page(verdicts))
    bad = [f"{case}: {verdict.outcome} {verdict.sentence}" for case, verdict in verdicts.items() if not verdict.is_good]
    print(*bad, f"{len(verdicts)} broken trainings, {len(bad)} of them not told by name", sep="\n")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
