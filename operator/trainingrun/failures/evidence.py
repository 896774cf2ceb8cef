"""All that is known of an attempt when its failure is judged, in one value. It must not judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trainingrun.failures.failure import Failure, shell_code
from trainingrun.observed import Pod, RayJob
from trainingrun.spec.run import RunSpec


@dataclass(frozen=True)
class Evidence:
    """An attempt's RayJob, its pods from the oldest on, and what was noted while it lived.

    `head_end` is what was seen of the end of its present head, `waited_for` what it waited for when it was last seen
    starting; the pods that showed it may be gone by now. `late` and `silent` are the deadlines that it has missed.
    """

    spec: RunSpec
    job: RayJob
    pods: Sequence[Pod]
    is_training: bool = False
    head_end: Failure | None = None
    waited_for: Failure | None = None
    late: Failure | None = None
    silent: Failure | None = None

    @property
    def exit_code(self) -> int | None:
        """The driver's exit code as shells write it, if the driver ended with one."""
        return shell_code(self.job.exit_code)


def oldest_first(pods: Iterable[Pod]) -> list[Pod]:
    """Pods in the order in which they were created: the first that broke is more likely to be the cause."""
    return sorted(pods, key=lambda pod: (pod.created, pod.name))
