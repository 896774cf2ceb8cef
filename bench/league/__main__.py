"""`python -m bench.league [NAME ...]`: plays the league, keeps each result, and writes the table in bench/README.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from bench.league.environments import CannotInstall, python_of
from bench.league.match import CORES, Rules, play
from bench.league.referee import Runner
from bench.league.table import write_table
from bench.machine import this_machine, usable_cpus
from bench.result import rounded

_BENCH = Path(__file__).parents[1]
_RESULTS = Path(__file__).parent / "results"
_ROWS = {"jpeg": 2000, "raw": 50_000}
_QUICK_ROWS = {"jpeg": 200, "raw": 20_000}


def main() -> int:
    """Play; returns 0. Results of the quick form are shown and not kept."""
    contestants: dict[str, Any] = yaml.safe_load((_BENCH / "league" / "contestants.yaml").read_text())
    options = _parser(contestants).parse_args()
    rules = Rules(_QUICK_ROWS if options.quick else _ROWS, options.kills, options.folder.resolve())
    # Every contestant inherits this.
    os.sched_setaffinity(0, set(usable_cpus()[:CORES]))
    for name in options.names or contestants:
        began = time.monotonic()
        result = rounded({"machine": this_machine(), **_result(name, contestants[name], rules)})
        print(f"{name} ({time.monotonic() - began:.0f} s)\n  {json.dumps(result)}", flush=True)
        if not options.quick:
            (_RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
            write_table(_BENCH)
    return 0


def _result(name: str, contestant: dict[str, Any], rules: Rules) -> dict[str, Any]:
    packages = contestant["packages"]
    shown = {"title": contestant["title"], "version": packages[0].partition("==")[2] if packages else ""}
    try:
        python = python_of(name, packages, rules.folder)
    except CannotInstall as error:
        return {**shown, "cannotInstall": str(error)}
    return {**shown, **play(Runner(name, python), rules, has_state=contestant.get("state", True))}


def _parser(contestants: dict[str, Any]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.league", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *contestants], help=", ".join(contestants))
    parser.add_argument("--kills", type=int, default=20, help="of each contestant that has a state; default 20")
    parser.add_argument("--folder", type=Path, default=Path("build/league"), help="for environments and data")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try the code; nothing is kept")
    return parser


if __name__ == "__main__":
    sys.exit(main())
