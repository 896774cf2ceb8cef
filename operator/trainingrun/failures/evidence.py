"""All that is known of an attempt when its failure is judged, in one value. It must not judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from trainingrun.contract.exits import Exit
from trainingrun.failures.failure import Failure, shell_code
from trainingrun.failures.last_words import has_end_record
from trainingrun.observed import Pod, RayJob
from trainingrun.spec.run import RunSpec


@dataclass(frozen=True)
class Evidence:
    """An attempt's RayJob, its own pods from the oldest on, and what was noted while it lived.

    `moment` is when it ended, or now if it lives; `has_trained` is whether any attempt of the run has, so that its
    image is good. `suspected` is what earlier looks suspected it of, since its end if it has ended; `head_end` what was
    seen of the end of its present head, `waited_for` what it waited for when it was last seen starting; the pods that
    showed it may be gone by now. `late` and `silent` are the deadlines that it has missed.
    """

    spec: RunSpec
    job: RayJob
    pods: Sequence[Pod]
    moment: datetime
    has_trained: bool = False
    suspected: Failure | None = None
    head_end: Failure | None = None
    waited_for: Failure | None = None
    late: Failure | None = None
    silent: Failure | None = None

    @property
    def exit_code(self) -> int | None:
        """The driver's exit code as shells write it, if the driver ended with one."""
        return shell_code(self.job.exit_code)

    @property
    def exit(self) -> Exit | None:
        """The end that the exit code stands for, if the driver is one that keeps to this project's exit codes.

        The built-in entrypoint does, and a script that has left the record of its end. To any other program, the same
        numbers mean whatever they like.
        """
        is_ours = self.spec.recipe is not None or has_end_record(self.job.message)
        return next((end for end in Exit if end == self.exit_code), None) if is_ours else None


def oldest_first(pods: Iterable[Pod]) -> list[Pod]:
    """Pods in the order in which they were created: the first that broke is more likely to be the cause."""
    return sorted(pods, key=lambda pod: (pod.created, pod.name))
