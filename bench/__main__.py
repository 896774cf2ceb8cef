"""`python -m bench [FIGURE ...]`: measures figures, shows them, and keeps them with the table and plot in README.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

from bench.machine import this_machine
from bench.plot import write_plot
from bench.result import Result
from bench.start.drawing import write_drawing
from bench.summary import is_met, line, read_limits, write_summary
from bench.workspace import open_workspace

_FOLDER = Path(__file__).parent
FIGURES = (
    "data_path_60k",
    "data_path_600k",
    "unmodified",
    "loader",
    "cache_hit",
    "stall",
    "efficiency",
    "start",
    "first_batch",
    "recovery",
    "data_scaling",
    "supply_stall",
    "epoch_gap",
    "jpeg_rate",
    "operator_apply",
    "operator_changes",
    "operator_cpu",
    "operator_scale",
    "shuffle_quality",
    "accounting_scale",
    "yaml_lines",
)
# These need the cluster of `make cluster`, and are measured when they are named.
CLUSTER_FIGURES = ("cluster_first_step", "cluster_recovery", "cluster_operator")


def main() -> int:
    """Measure; returns 1 when a bar was missed. Results of the quick form are shown and not kept."""
    options = _parser().parse_args()
    rounds = options.rounds or (2 if options.quick else 5)
    limits = read_limits(_FOLDER)
    has_missed = False
    with open_workspace(is_quick=options.quick) as workspace:
        for name in options.figures or FIGURES:
            began = time.monotonic()
            result: Result = importlib.import_module(f"bench.figures.{name}").measure(rounds, workspace)
            print(f"{name} ({time.monotonic() - began:.0f} s)")
            for measure in result.measures:
                print("  " + " | ".join(line(measure, limits.get(measure.name))), flush=True)
                has_missed |= is_met(measure, limits.get(measure.name)) is False
            if not options.quick:
                result.write(_FOLDER / "results", this_machine())
    if not options.quick:
        write_plot(_FOLDER)
        write_drawing(_FOLDER)
        write_summary(_FOLDER)
    return int(has_missed and not options.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = (*FIGURES, *CLUSTER_FIGURES)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", choices=[[], *names], help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="rounds of each figure; default 5")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the code; nothing is kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
