"""Searches for faults of the operator for as long as it is told, and says how much was tried and how to repeat faults.

python tests/campaign/search.py --minutes 10 --seed 1 [verdicts singles pairs edges]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for _folder in ("sim", "machine", "apiserver", "fuzz"):
    sys.path.append(str(Path(__file__).parents[1] / _folder))

import edges  # noqa: E402 - after the lines above, which say where the imports come from
import sieve  # noqa: E402
from many import Case, try_all  # noqa: E402
from verdict_histories import walk  # noqa: E402

_ENDLESS = 10**9


def judge(number: int) -> int:
    """Try one edge of one field, by its number."""
    edges.judge(edges.edges()[number])
    return 1


def campaigns(seed: int) -> dict[str, tuple[Case, range]]:
    """Every campaign by its name: what it tries, with which seeds. What is tried exhaustively takes no seed."""
    by_chance = range(seed * _ENDLESS, (seed + 1) * _ENDLESS)
    return {
        "edges": (judge, range(len(edges.edges()))),
        "singles": (sieve.single, range(len(sieve.each()))),
        "pairs": (sieve.pair, by_chance),
        "verdicts": (walk, by_chance),
    }


def main() -> int:
    """Run the campaigns that are named, or all of them; 1 if any has found a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="edges, singles, pairs, verdicts; all of them if none is named")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each campaign")
    parser.add_argument("--seed", type=int, default=1, help="another one tries other histories")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    sieve.prepare()
    known, faults = campaigns(arguments.seed), 0
    for name in arguments.names or known:
        case, seeds = known[name]
        tally = try_all(case, seeds, 60 * arguments.minutes, arguments.processes)
        print(f"{name}: {tally}", flush=True)
        faults += len(tally.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
