"""`python -m trainingrun_trainer.local.kept`: what `trainingrun local --stop` becomes. Ends the kept cluster."""

from __future__ import annotations

import sys

from trainingrun.contract.exits import Exit
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.local.kept.client import stop

_NOTHING_TO_STOP = 1


def main() -> int:
    """End it; returns the exit code."""
    try:
        done = stop()
    except InvalidConfiguration as error:
        print(error, file=sys.stderr)
        return int(Exit.INVALID_CONFIG)
    print(done or "no cluster is kept: there is nothing to stop", file=sys.stdout if done else sys.stderr)
    return 0 if done else _NOTHING_TO_STOP


if __name__ == "__main__":
    sys.exit(main())
