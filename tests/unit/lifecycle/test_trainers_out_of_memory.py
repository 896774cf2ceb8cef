"""Ray starts training again wherever it ends, also where it must end again: by its policy, the run decides that."""

from __future__ import annotations

from typing import Any

from seen_objects import NOW, a_run, cluster, ended_container, entry, job, pod, pods, status, status_of

from trainingrun.observed import Observed


def looked_at(observed: Observed, **spec: Any) -> dict[str, Any]:
    return status_of(a_run(status=status(entry()), **spec), observed, NOW)


def out_of_memory(group: str) -> Observed:
    killed = pod(group, ready=False, terminations=ended_container())
    return Observed((job(),), (cluster(),), (*(other for other in pods() if other.group != group), killed))


def test_a_trainer_out_of_memory_ends_the_run_though_ray_would_start_it_again() -> None:
    written = looked_at(out_of_memory("trainer"))
    attempt = written["attempts"][-1]
    assert (written["state"], attempt["failureClass"]) == ("Failed", "OutOfMemory")
    assert "spec.trainer.resourcesPerNode.limits.memory" in attempt["message"]


def test_ray_restarts_a_trainer_that_ran_out_of_memory_if_a_rule_allows_it() -> None:
    rules = {"rules": [{"action": "Count", "onClasses": ["OutOfMemory"]}]}
    written = looked_at(out_of_memory("trainer"), failurePolicy=rules)
    assert (written["attempts"][-1]["outcome"], written["failures"]) == ("Running", 0)


def test_a_data_pod_out_of_memory_is_left_to_ray() -> None:
    assert looked_at(out_of_memory("data"))["attempts"][-1]["outcome"] == "Running"
