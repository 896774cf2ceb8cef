"""What the operator's process costs while two runs train and report: CPU time and memory, as the kernel counts them.

They are read by the operator's own Python, in its container, where it is the first process.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass

from bench.cluster.cluster import OPERATOR_NAMESPACE, KindCluster, open_cluster
from bench.cluster.long_training import start_training
from bench.result import Measure, Result
from bench.workspace import Workspace

_RUNS = ("first", "second")
_WINDOW_SECONDS, _QUICK_WINDOW_SECONDS = 60.0, 5.0
_READ = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/1/status"))
fields = open("/proc/1/stat").read().rpartition(")")[2].split()
cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
print(json.dumps({"cpu": cpu, "resident": int(status["VmRSS"].split()[0]), "peak": int(status["VmHWM"].split()[0])}))
"""


@dataclass(frozen=True)
class _Sample:
    """At a time: CPU seconds since the start of the process; memory now, and the most so far, in MiB."""

    time: float
    cpu: float
    resident: float
    peak: float


def measure(rounds: int, workspace: Workspace) -> Result:
    """So many windows of a minute, one after the other."""
    kind = open_cluster(workspace)
    with kind.namespace("operator") as namespace:
        runs = start_training(namespace, *_RUNS)
        samples = [_sample(kind)]
        for _ in range(rounds):
            time.sleep(_QUICK_WINDOW_SECONDS if workspace.is_quick else _WINDOW_SECONDS)
            samples.append(_sample(kind))
        states = [run.status["state"] for run in runs]
        assert states == ["Running"] * len(runs), f"not all runs train: {states}"
    pairs = itertools.pairwise(samples)
    shares = [100 * (later.cpu - earlier.cpu) / (later.time - earlier.time) for earlier, later in pairs]
    resident = [sample.resident for sample in samples[1:]]
    measures = [
        Measure("cluster_operator_cpu", "operator's CPU while 2 runs train", "% of a core", shares),
        Measure("cluster_operator_resident", "operator's resident memory while 2 runs train", "MiB", resident),
    ]
    return Result("cluster_operator", measures, {"peakMiB": samples[-1].peak, "versions": kind.versions()})


def _sample(kind: KindCluster) -> _Sample:
    pod = (kind.operator_pod(), f"--namespace={OPERATOR_NAMESPACE}", "--container=manager")
    read = json.loads(kind.client.run("exec", *pod, "--", "python", "-c", _READ).stdout)
    return _Sample(time.time(), read["cpu"], read["resident"] / 1024, read["peak"] / 1024)
