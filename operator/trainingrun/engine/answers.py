"""What was last answered for a run: the API server's refusal of what it needs, and why its queue holds it back.

Without input and output, and without a judgement.
"""

from __future__ import annotations

from trainingrun.observed import QueueAnswer


class Answers:
    """Of any number of runs, by their uids."""

    def __init__(self) -> None:
        self._refusals: dict[str, tuple[str, str]] = {}
        self._of_queues: dict[str, QueueAnswer] = {}

    def refusal(self, run_uid: str) -> tuple[str, str] | None:
        """The reason and message of the refusal that stands."""
        return self._refusals.get(run_uid)

    def refuse(self, run_uid: str, refusal: tuple[str, str] | None) -> bool:
        """Note a refusal, or that there is none any more. Returns whether that is news."""
        if self._refusals.get(run_uid) == refusal:
            return False
        if refusal is None:
            del self._refusals[run_uid]
        else:
            self._refusals[run_uid] = refusal
        return True

    def of_queue(self, run_uid: str) -> QueueAnswer | None:
        """What the run's queue said."""
        return self._of_queues.get(run_uid)

    def note_queue(self, run_uid: str, answer: QueueAnswer) -> None:
        """Note what the run's queue says."""
        self._of_queues[run_uid] = answer

    def forget(self, run_uid: str) -> None:
        """Note that a run is gone."""
        self._refusals.pop(run_uid, None)
        self._of_queues.pop(run_uid, None)
