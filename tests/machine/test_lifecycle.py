"""Whatever happens in whatever order, no two attempts of a run exist, and its status tells what really happened.

Two operators with caches that lag behind each other act on a model of the cluster; either may be killed, held or
restarted between any two calls. After every step the promises are checked against what the model knows.
TRAININGRUN_LONG_TESTS=1 tells many more and longer stories.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from cluster_model import World
from endings import Ending
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from machinery import Machinery
from mishaps import EXIT_CLASSES, Mishaps
from promises import Promises
from replica import KINDS, Replica

# A cache may lag by less than the time after which a missing RayJob counts as deleted.
MOST_LAG = timedelta(seconds=25)
RULES = [
    [],
    [{"action": "Count", "onClasses": ["UserError", "Preempted"]}],
    [{"action": "Fail", "onClasses": ["HeadLost", "Preempted"]}],
    [{"action": "Ignore", "onClasses": ["Infrastructure", "HeadLost", "OutOfMemory"]}],
    [{"action": "Count", "onExitCodes": {"operator": "In", "values": [33, 137]}}],
]
IS_LONG = bool(os.environ.get("TRAININGRUN_LONG_TESTS"))
replicas = st.integers(0, 1)


class Lifecycle(RuleBasedStateMachine):
    """The run's whole life."""

    @initialize(
        queue=st.sampled_from([None, None, "ml"]),
        suspend=st.sampled_from([False, False, False, True]),
        rules=st.sampled_from(RULES),
        limit=st.integers(0, 3),
        deadline=st.sampled_from([None, None, 600]),
    )
    def begin(self, queue: str | None, suspend: bool, rules: list[Any], limit: int, deadline: int | None) -> None:
        spec: dict[str, Any] = {
            "backoffLimit": limit,
            "failurePolicy": {"rules": rules},
            "progressDeadlineSeconds": 120,
        }
        if deadline is not None:
            spec["activeDeadlineSeconds"] = deadline
        self.world = World(queue, suspend, **spec)
        self.machinery = Machinery(self.world)
        self.mishaps = Mishaps(self.world)
        self.promises = Promises(self.world, limit)
        self.replicas = [Replica(self.world), Replica(self.world)]
        self.offset = timedelta()

    def now(self) -> datetime:
        """The operators' clock, which need not be the API server's."""
        return self.world.time + self.offset

    # What operators do

    @rule(which=replicas, calls=st.sampled_from([100, 100, 100, 0, 1, 2]), hold=st.sampled_from([False, False, True]))
    def reconcile_up_to_date(self, which: int, calls: int, hold: bool) -> None:
        self.replicas[which].sync()
        self.replicas[which].reconcile(self.now(), calls, hold_create=hold)

    @rule(which=replicas, calls=st.sampled_from([100, 100, 1]))
    def reconcile_from_a_stale_cache(self, which: int, calls: int) -> None:
        self.replicas[which].reconcile(self.now(), calls)

    @rule(which=replicas, kind=st.sampled_from(KINDS))
    def one_watch_catches_up(self, which: int, kind: str) -> None:
        self.replicas[which].sync(kind)

    @rule(which=replicas)
    def resume_a_held_create(self, which: int) -> None:
        attempt, self.replicas[which].waiting_create = self.replicas[which].waiting_create, None
        if attempt is not None:
            self.replicas[which].create(attempt, confirm=True)

    @rule(which=replicas)
    def restart_an_operator(self, which: int) -> None:
        self.replicas[which].restart()

    # What the cluster does

    @rule(choice=st.randoms(use_true_random=False), steps=st.integers(1, 12))
    def machinery_moves(self, choice: Any, steps: int) -> None:
        for _ in range(steps):
            events = self.machinery.events()
            if not events:
                return
            events[choice.choice(sorted(events))]()

    @rule(which=replicas)
    def nothing_goes_wrong_for_a_while(self, which: int) -> None:
        """By chance alone, few attempts would ever come to train."""
        for _ in range(20):
            if self.world.running_job() is not None:
                return
            self.replicas[which].sync()
            self.replicas[which].reconcile(self.now())
            for event in list(self.machinery.events().values()):
                event()
            self.promises.check()

    @precondition(lambda self: self.world.running_job() is not None)
    @rule()
    def training_succeeds(self) -> None:
        job = self.world.running_job()
        assert job is not None
        self.mishaps.succeed(job)

    @precondition(lambda self: self.world.running_job() is not None)
    @rule(exit_code=st.sampled_from(sorted(EXIT_CLASSES)))
    def training_fails(self, exit_code: int) -> None:
        job = self.world.running_job()
        assert job is not None
        self.mishaps.fail(job, exit_code)

    @precondition(lambda self: self.world.unfinished_job() is not None)
    @rule(
        how=st.sampled_from(
            [
                ("PreRunningDeadlineExceeded", "Infrastructure"),
                ("JobStatusCheckTimeoutExceeded", "HeadLost"),
                ("ValidationFailed", "InvalidConfig"),
            ]
        )
    )
    def kuberay_gives_up(self, how: tuple[str, str]) -> None:
        job = self.world.unfinished_job()
        assert job is not None
        self.mishaps.fail_with_reason(job, *how)

    @precondition(lambda self: self.world.running_job() is not None)
    @rule()
    def stranger_stops_the_job(self) -> None:
        job = self.world.running_job()
        assert job is not None
        self.mishaps.stop(job)

    @precondition(lambda self: self.world.unfinished_job() is not None)
    @rule()
    def stranger_deletes_the_ray_job(self) -> None:
        job = self.world.unfinished_job()
        assert job is not None
        self.mishaps.delete_by_stranger(job)

    @precondition(lambda self: self.world.unfinished_job() is not None)
    @rule(how=st.sampled_from(["gone", "restarted", "disrupted", "oom", "cluster"]))
    def head_is_lost(self, how: str) -> None:
        self.mishaps.lose_cluster() if how == "cluster" else self.mishaps.lose_head(how)

    @precondition(lambda self: self.world.running_job() is None)
    @rule()
    def image_is_wrong(self) -> None:
        self.mishaps.break_image()

    @precondition(lambda self: self.world.queue is not None and self.world.unfinished_job() is not None)
    @rule(suspended=st.booleans())
    def queue_decides(self, suspended: bool) -> None:
        job = self.world.unfinished_job()
        assert job is not None
        if job.suspended != suspended:
            self.mishaps.set_queue(job, suspended)

    @precondition(lambda self: self.world.running_job() is not None)
    @rule()
    def training_reports(self) -> None:
        self.mishaps.report(self.world.time)

    # What people and clocks do

    @rule(suspend=st.booleans())
    def person_sets_suspend(self, suspend: bool) -> None:
        if self.world.is_to_rest != suspend:
            self.world.set_suspend(suspend)

    @rule(refusal=st.sampled_from([None, ("Forbidden", "exceeded quota: q, requested: count/rayjobs.ray.io=1")]))
    def api_server_refuses(self, refusal: tuple[str, str] | None) -> None:
        self.world.refusal = refusal

    @rule(seconds=st.sampled_from([1, 5, 12, 31, 130, 700]))
    def time_passes(self, seconds: int) -> None:
        job = self.world.running_job()
        if job is not None and seconds >= 100:
            self.world.truth[job.attempt].causes.add("Hang")
        self.world.deadlines_may_pass()
        horizon = self.world.time + timedelta(seconds=seconds) - MOST_LAG
        for replica in self.replicas:
            for kind in KINDS:
                behind = self.world.history[replica.seen[kind] + 1 :]
                if behind and behind[0].time < horizon:
                    replica.sync(kind)
        self.world.pass_time(seconds)

    @rule(seconds=st.sampled_from([-86_400, -3600, -30, -1, 30, 3600]))
    def operators_clock_is_set(self, seconds: int) -> None:
        for replica in self.replicas:
            replica.sync()
        for truth in self.world.truth.values():
            truth.causes.add("Hang")
        self.world.deadlines_may_pass()
        self.offset += timedelta(seconds=seconds)

    # In the end

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        parts = self.world, self.machinery, self.mishaps, self.promises
        ending = Ending(*parts, self.replicas, self.now)
        ending.settle()
        ending.finish()

    @invariant()
    def everything_promised_holds(self) -> None:
        self.promises.check()


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=5000 if IS_LONG else 120,
    stateful_step_count=100 if IS_LONG else 50,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
