"""Ends `make demo`: reads the run's records, and fails unless it learned what the demo promises.

It must look at nothing but what every run leaves behind.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainingrun.history import NoRecords, history_of, read_records

METRIC = "validation_accuracy"


def main(arguments: list[str]) -> int:
    """Check the run in a folder against a least accuracy in percent; return 0 when it is reached, else 1."""
    folder, least = Path(arguments[0]), float(arguments[1])
    try:
        history = history_of(read_records(folder))
    except NoRecords as error:
        return _fail(str(error))
    if history.ended is None or history.ended.outcome != "Complete":
        outcome = history.ended.outcome if history.ended else "no end was recorded"
        return _fail(f"the run in {folder} is not complete: {outcome}")
    if METRIC not in history.metrics:
        return _fail(f"the run in {folder} recorded no {METRIC}; found {', '.join(history.metrics) or 'no metrics'}")
    reached = 100 * history.metrics[METRIC]
    # Written so that NaN fails too.
    if not reached >= least:
        return _fail(f"validation accuracy is {reached:.1f} %, expected at least {least:g} %")
    print(f"Demo passed: validation accuracy {reached:.1f} % (at least {least:g} % is required).")
    print(f"Report: {(folder / 'report.html').resolve()}")
    return 0


def _fail(message: str) -> int:
    print(f"Demo failed: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
