"""Runs come and go for hours while everything is killed at random: none is lost, none trains twice, nothing grows.

`make soak MINUTES=120` runs it. Two operators act at the same time. One is killed again and again; the other one lives
from the beginning to the end, and its memory is watched.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from audit_log import requests
from child_process import ChildProcess
from control_plane import ControlPlane
from havoc import Havoc
from lifetimes import Lifetimes
from operator_process import USER, OperatorProcess
from raw_client import Object
from ray_dashboard import Job
from training_runs import TrainingRuns

pytestmark = [pytest.mark.extended, pytest.mark.timeout(0), pytest.mark.usefixtures("kubelet")]

MINUTES = float(os.environ.get("TRAININGRUN_SOAK_MINUTES", "5"))
SEED = int(os.environ.get("TRAININGRUN_SOAK_SEED", "1"))
# Two hundred in two hours.
SECONDS_A_RUN = 36.0
SECONDS_A_STRIKE = 12.0
WARM_MINUTES = 15.0
MOST_GROWTH = 1.05
# Of one attempt, through all that may be told of it.
MOST_STATUSES_AN_ATTEMPT = 20
# What is killed as an attempt is counted; no run is to end by that.
PATIENT = {"backoffLimit": 100}


def ends(job: Job) -> None:
    """After a while it succeeds, or its machine breaks: each job always in the same way."""
    chance = random.Random(job.id)
    if time.time() - job.started / 1000 < chance.uniform(5.0, 40.0):
        return
    if chance.random() < 0.2:
        job.fail(14, "the node went away")
    else:
        job.finish()


@dataclass
class Soak:
    """What was seen so far."""

    runs: TrainingRuns
    steady: OperatorProcess
    applied: int = 0
    ended: dict[str, Object] = field(default_factory=dict)
    # (minutes since the beginning, bytes)
    memory: list[tuple[float, int]] = field(default_factory=list)

    def apply_one(self) -> None:
        self.runs.apply(f"run-{self.applied}", **PATIENT)
        self.applied += 1

    def reap(self) -> None:
        """Take note of the runs that are over, and delete them as people do."""
        for run in self.runs.admin.list("trainingruns", self.runs.namespace):
            name, status = run["metadata"]["name"], run.get("status", {})
            if status.get("state") in ("Complete", "Failed", "Invalid"):
                self.ended[name] = run
                self.runs.admin.delete("trainingruns", name, self.runs.namespace)

    def check(self, lifetimes: Lifetimes) -> None:
        """All that was applied is complete, by a job that has succeeded, and never twice at once."""
        assert sorted(self.ended) == sorted(f"run-{number}" for number in range(self.applied))
        assert lifetimes.overlaps() == []
        succeeded = [job.id for job in self.runs.dashboard.jobs_in(self.runs.namespace) if job.status == "SUCCEEDED"]
        for name, run in self.ended.items():
            attempts = run["status"]["attempts"]
            assert attempts[-1]["outcome"] == "Complete", f"{name}: {run['status']}"
            assert {entry["outcome"] for entry in attempts[:-1]} <= {"Failed", "Suspended"}
            assert any(job.startswith(f"{attempts[-1]['rayJobName']}-") for job in succeeded), f"{name}: {succeeded}"

    def growth(self) -> float:
        """The most memory after the warm-up, against that at its end; 1.0 where it was too short."""
        warm = [size for minute, size in self.memory if minute >= min(WARM_MINUTES, MINUTES / 2)]
        return max(warm) / warm[0] if warm else 1.0


def play(soak: Soak, havoc: Havoc) -> None:
    """Apply and break for as long as it is told."""
    began = time.monotonic()
    struck = began
    while (now := time.monotonic()) < began + 60 * MINUTES:
        while soak.applied * SECONDS_A_RUN < now - began:
            soak.apply_one()
        if now > struck + SECONDS_A_STRIKE:
            havoc.strike()
            struck = time.monotonic()
        soak.reap()
        soak.memory.append(((now - began) / 60, soak.steady.resident_bytes))
        time.sleep(1.0)


def writes_of(plane: ControlPlane, namespace: str) -> Counter[tuple[str, str]]:
    """What the operators have written, and was accepted, by verb and resource."""
    mine = [request for request in requests(plane.audit_log, USER) if request.namespace == namespace]
    return Counter(
        (request.verb, request.resource)
        for request in mine
        if request.code < 300 and request.verb in ("create", "patch", "update", "delete")
    )


def check_writes(writes: Counter[tuple[str, str]], attempts: int, unheard: int) -> None:
    """One RayJob for each attempt, and no more said of it than there is to say.

    An API server that is killed may leave one write of each operator out of its log.
    """
    assert attempts - 2 * unheard <= writes["create", "rayjobs"] <= attempts
    assert writes["delete", "rayjobs"] <= attempts
    assert writes["patch", "trainingruns/status"] <= MOST_STATUSES_AN_ATTEMPT * attempts


def test_runs_come_and_go_while_everything_is_killed(
    control_plane: ControlPlane,
    kuberay: ChildProcess,
    runs: TrainingRuns,
    operators: Callable[..., OperatorProcess],
    lifetimes: Lifetimes,
) -> None:
    control_plane.until_settled()
    runs.dashboard.scripts[runs.namespace] = ends
    steady, victim = operators("steady"), operators("victim")
    soak = Soak(runs, steady)
    process, havoc = steady.pid, Havoc(SEED, control_plane, kuberay, victim, runs)
    print(f"to repeat: TRAININGRUN_SOAK_SEED={SEED}")
    play(soak, havoc)
    havoc.mend()
    victim.wait_until_ready()
    runs.admin.until(lambda: soak.reap() or len(soak.ended) == soak.applied, "all runs over", 600)
    runs.until_nothing_is_left()
    writes = writes_of(control_plane, runs.namespace)
    attempts = sum(len(lifetimes.attempts(run["metadata"]["uid"])) for run in soak.ended.values())
    print(f"{soak.applied} runs, {attempts} attempts, {dict(havoc.done)}, {dict(writes)}, x{soak.growth():.3f} memory")
    soak.check(lifetimes)
    check_writes(writes, attempts, havoc.done["API server"])
    assert writes_of(control_plane, runs.namespace) == writes
    assert steady.running
    assert steady.pid == process
    assert steady.looks("bug") == victim.looks("bug") == 0
    if MINUTES > WARM_MINUTES:
        assert soak.growth() <= MOST_GROWTH
