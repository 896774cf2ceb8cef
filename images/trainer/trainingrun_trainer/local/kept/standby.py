"""A driver before its run: it has loaded what every driver loads and is connected, and becomes the driver of one run.

It must load nothing of a run's author, whose files may change until then. It serves one run only, so that nothing of a
run is there in the next.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import socket
import sys

from trainingrun_trainer.driver.entrypoint import main as drive
from trainingrun_trainer.driver.entrypoint import prepare_environment
from trainingrun_trainer.local.kept.messages import receive
from trainingrun_trainer.local.kept.offer import read_size
from trainingrun_trainer.local.kept.warming import DRIVER, warm


def main(descriptor: int) -> int:
    """Wait for a cluster, then for a run, on the socket with this descriptor; returns the driver's exit code."""
    with socket.socket(fileno=descriptor) as keeper:
        prepare_environment()
        for module in DRIVER:
            importlib.import_module(module)
        if (told := receive(keeper)) is None:
            return 0
        cluster, _ = told
        from trainingrun_trainer.driver.launch import connect

        connect(cluster["address"], {})
        try:
            warm(read_size(cluster["size"]), cluster["seconds"])
        except Exception:  # a run only starts later without them
            logging.exception("Ray has not started the processes of a run ahead")
        # What is loaded stays: to look through it at every collection, and at the end, takes seconds.
        gc.collect()
        gc.freeze()
        if (told := receive(keeper)) is None:
            return 0
        run, files = told
    for descriptor, file in zip((1, 2), files, strict=True):
        os.dup2(file, descriptor)
        os.close(file)
    os.environ.clear()
    os.environ.update(run["environment"])
    importlib.invalidate_caches()
    return drive(["--address", cluster["address"]])


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
