"""A driver that waits for its run: it says what it is, and sleeps or ends as the run's environment says."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from trainingrun_trainer.local.kept.messages import receive

if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as keeper:
        cluster = receive(keeper)
        run = receive(keeper)
    if cluster is None or run is None:
        sys.exit(0)
    message, files = run
    for descriptor, file in zip((1, 2), files, strict=True):
        os.dup2(file, descriptor)
        os.close(file)
    environment = message["environment"]
    signal.signal(signal.SIGINT, lambda number, frame: sys.exit(10))
    print(f"{os.getpid()} {cluster[0]['address']} {environment['SAYS']}", flush=True)
    print("an error", file=sys.stderr, flush=True)
    if environment.get("SLEEPS"):
        time.sleep(60)
    sys.exit(13)
