"""What must come of every story in the end, however it went until then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cluster_model import World
from machinery import Machinery
from mishaps import Mishaps
from promises import Promises
from replica import Replica


class Ending:
    """Plays a story to its end. `now` is the operators' clock."""

    def __init__(
        self,
        world: World,
        machinery: Machinery,
        mishaps: Mishaps,
        promises: Promises,
        replicas: Sequence[Replica],
        now: Callable[[], datetime],
    ):
        self._world = world
        self._machinery = machinery
        self._mishaps = mishaps
        self._promises = promises
        self._replicas = replicas
        self._now = now

    def settle(self) -> None:
        """With nothing more happening, the operators soon have nothing more to write."""
        for _ in range(12):
            if not self._reconcile():
                return
        raise AssertionError("writes without end")

    def finish(self) -> None:
        """When everything goes well from now on, the run reaches its end, and nothing of it stays for ever."""
        self._world.refusal = None
        if self._world.is_to_rest:
            self._world.set_suspend(False)
        for _ in range(400):
            self._everything_goes_well()
            self._reconcile()
            if self._promises.verdict is not None and not self._world.clusters and not self._world.pods:
                assert len([job for job in self._world.jobs.values() if not job.deleting]) <= 1
                return
            looks = [replica.decide(self._now()).look_again for replica in self._replicas]
            moments = [moment for moment in looks if moment is not None]
            if not self._machinery.events() and moments:
                self._world.deadlines_may_pass()
                self._world.pass_time((min(moments) - self._now()).total_seconds())
        raise AssertionError(f"no end: {self._world.run.status}")

    def _reconcile(self) -> int:
        made = 0
        for replica in self._replicas:
            replica.sync()
            made += replica.reconcile(self._now())
        self._promises.check()
        return made

    def _everything_goes_well(self) -> None:
        job = self._world.live_job()
        if job is not None and job.suspended:
            self._mishaps.set_queue(job, suspended=False)
        for pod in list(self._world.pods.values()):
            if pod.waiting:
                self._world.change(pod, waiting=())
        for event in list(self._machinery.events().values()):
            event()
        job = self._world.running_job()
        if job is not None:
            self._mishaps.succeed(job)
