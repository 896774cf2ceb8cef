"""How busy the GPU is, as nvidia-smi sees it once a second; nothing on a machine without one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

_COMMAND = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop=1")


@contextlib.contextmanager
def watched_gpu() -> Iterator[list[float]]:
    """Percents, there once the block has ended."""
    percents: list[float] = []
    if shutil.which(_COMMAND[0]) is None:
        yield percents
        return
    process = subprocess.Popen(_COMMAND, stdout=subprocess.PIPE, text=True)
    try:
        yield percents
    finally:
        process.terminate()
        output, _ = process.communicate()
        percents += [float(line) for line in output.split() if line.isdigit()]
