"""The process behind `trainingrun convert`: its argument is the command's options as JSON.

Exit codes: 0 converted, 2 wrong arguments, 12 bad source or data, 1 anything else.
"""

from __future__ import annotations

import json
import signal
import sys
import traceback
from typing import Any

from trainingrun.history.figures import plural, size
from trainingrun_trainer.convert import Converted, ConvertError, SourceFailed, UsageError, convert
from trainingrun_trainer.convert.display import progress_display
from trainingrun_trainer.failures.errors import LayoutError

WRONG_USAGE = 2
BAD_DATA = 12
FAILED = 1


def main(arguments: list[str]) -> int:
    """Convert, print the summary on stdout and everything else on stderr; return the exit code."""
    if len(arguments) != 1:
        return _refuse("expected one argument; run `trainingrun convert --help`", WRONG_USAGE)
    # Ends through the clean-up, so that a stopped conversion leaves nothing behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    request: dict[str, Any] = json.loads(arguments[0])
    if request.get("size") is not None:
        request["size"] = tuple(request["size"])
    try:
        with progress_display() as on_progress:
            converted = convert(on_progress=on_progress, **request)
    except UsageError as error:
        return _refuse(str(error), WRONG_USAGE)
    except SourceFailed as error:
        traceback.print_exception(error.__cause__)
        return _refuse(str(error), BAD_DATA)
    except (ConvertError, LayoutError) as error:
        return _refuse(str(error), BAD_DATA)
    except OSError as error:
        return _refuse(str(error), FAILED)
    _summarise(converted)
    return 0


def _summarise(converted: Converted) -> None:
    for note in converted.notes:
        print(f"Note: {note}", file=sys.stderr)
    print(
        f"Converted {plural(converted.rows, 'row')} to {plural(converted.files, 'file')}, {size(converted.size)}, "
        f"{converted.rows / converted.seconds:,.0f} rows/s. For the recipe of a run:\n"
    )
    print(converted.yaml, end="")


def _refuse(message: str, code: int) -> int:
    print(f"Error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
