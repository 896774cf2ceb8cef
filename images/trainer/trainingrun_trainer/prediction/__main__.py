"""The process behind `trainingrun export`, which has checked the arguments.

Exit codes: 0 written and checked, 12 what cannot be written or found, 14 a store that is away, 13 what the author's
code raises.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trainingrun_trainer.failures.classify import failure_of
from trainingrun_trainer.prediction.exporting import ABSOLUTE, RELATIVE, export


def main(arguments: list[str]) -> int:
    """Export, and say how well what was written predicts."""
    location, kind, output = arguments
    # The author's modules are looked for where the user is.
    sys.path.insert(0, str(Path.cwd()))
    try:
        difference = export(location, kind, Path(output))
    except Exception as error:  # the author's code may raise anything
        failure = failure_of(error)
        print(failure.text, file=sys.stderr)
        return int(failure.exit)
    print(
        f"{output}: written as {kind}, and read again: its outputs differ by at most {difference:.2g} "
        f"(allowed: {RELATIVE:g} x the value + {ABSOLUTE:g})"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
