"""What the operator promises, held against what the model of the cluster knows to be true."""

from __future__ import annotations

from typing import Any

from cluster_model import World


class Promises:
    """To be checked after every step: some are about what may not change any more."""

    def __init__(self, world: World, limit: int):
        self._world = world
        self._limit = limit
        self._attempts: dict[int, dict[str, Any]] = {}
        self._was_suspended = False
        self.verdict: dict[str, Any] | None = None

    def check(self) -> None:
        """Fail if any promise is broken."""
        self._was_suspended = self._was_suspended or self._world.is_to_rest
        self._nothing_of_two_attempts_exists()
        self._conditions_are_of_the_observed_generation()
        self._kstatus_is_coherent()
        self._the_verdict_never_changes()
        self._attempts_that_ended_never_change_and_none_is_forgotten()
        self._outcomes_are_what_happened()
        self._failures_are_counted_once()
        self._usage_is_never_negative()

    def _nothing_of_two_attempts_exists(self) -> None:
        assert len(self._world.existing_attempts()) <= 1, self._world.existing_attempts()

    def _conditions_are_of_the_observed_generation(self) -> None:
        status = self._world.run.status
        if status:
            assert {entry["observedGeneration"] for entry in status["conditions"]} == {status["observedGeneration"]}
            assert len(status["conditions"]) == 9
        if status.get("observedGeneration") == self._world.run.generation:
            assert self._world.is_to_rest or not self._holds("Suspended")

    def _kstatus_is_coherent(self) -> None:
        if self._world.run.status:
            over = self._holds("Complete") or self._holds("Failed")
            assert self._holds("Reconciling") != (over or self._holds("Suspended") or self._holds("Stalled"))
            assert self._holds("Stalled") == self._holds("Failed") or not over
            assert not (self._holds("Complete") and self._holds("Failed"))

    def _the_verdict_never_changes(self) -> None:
        for kind in ("Complete", "Failed"):
            if self._holds(kind):
                condition = {key: value for key, value in self._condition(kind).items() if key != "observedGeneration"}
                verdict = {**condition, "completionTime": self._world.run.status["completionTime"]}
                self.verdict = self.verdict or verdict
                assert verdict == self.verdict
                return
        assert self.verdict is None

    def _attempts_that_ended_never_change_and_none_is_forgotten(self) -> None:
        listed = self._world.run.status.get("attempts", [])
        indexes = [entry["index"] for entry in listed]
        assert indexes == sorted(set(indexes))
        assert len(indexes) <= 10
        assert not self._attempts or (indexes and indexes[-1] >= max(self._attempts))
        for entry in listed:
            before = self._attempts.get(entry["index"])
            if before is not None and before["outcome"] in ("Complete", "Failed", "Suspended"):
                assert entry == before
            self._attempts[entry["index"]] = entry

    def _outcomes_are_what_happened(self) -> None:
        for index, entry in self._attempts.items():
            truth = self._world.truth.get(index)
            if entry["outcome"] == "Complete":
                assert truth is not None and truth.succeeded
            elif entry["outcome"] == "Failed":
                causes = truth.causes if truth is not None else {"DeadlineExceeded"}
                assert entry["failureClass"] in causes, (entry, truth)
            elif entry["outcome"] == "Suspended":
                assert self._was_suspended
            lost = entry["headRestarts"] + entry["preemptions"]
            assert lost <= (truth.head_losses + truth.preemptions if truth is not None else 0), (entry, truth)

    def _failures_are_counted_once(self) -> None:
        status = self._world.run.status
        if not status:
            return
        assert status["failures"] >= sum(entry["counted"] for entry in self._attempts.values())
        restarts = sum(entry["headRestarts"] + entry["preemptions"] for entry in self._attempts.values())
        assert status["failures"] <= sum(entry["counted"] for entry in self._attempts.values()) + restarts
        if self.verdict is None:
            assert status["failures"] <= self._limit

    def _usage_is_never_negative(self) -> None:
        usage = self._world.run.status.get("usage", {})
        assert all(value >= 0 for key, value in usage.items() if key.endswith("Seconds"))

    def _condition(self, kind: str) -> dict[str, Any]:
        found = [entry for entry in self._world.run.status.get("conditions", []) if entry["type"] == kind]
        return found[0] if found else {}

    def _holds(self, kind: str) -> bool:
        return bool(self._condition(kind).get("status") == "True")
