"""Every field at every edge on a live API server with the operator at work, and every change of a run that trains.

`make campaign-live` tries all edges; of mutated documents, test_bad_documents.py tries a sample each time.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from operator_process import OperatorProcess
from raw_client import Object, Refused, path_of
from run_documents import as_kubectl_sends, full_run
from training_runs import TrainingRuns

sys.path.append(str(Path(__file__).parents[1] / "campaign"))

from edges import Edge, edges

from trainingrun.crd.rules.fields import MUTABLE
from trainingrun.spec.run import RunSpec

pytestmark = [pytest.mark.extended, pytest.mark.usefixtures("kuberay", "kubelet"), pytest.mark.timeout(3600)]

# Every how many edges are tried, and from which one on.
STEP = int(os.environ.get("TRAININGRUN_EDGES_STEP", "40"))
BEGIN = int(os.environ.get("TRAININGRUN_EDGES_BEGIN", "0"))
BATCH = 100
# What it says of a document that it could not even read.
UNREADABLE = ("cannot unmarshal", "strict decoding error", "is too large", "unable to decode", "json:")
IMMUTABLE = sorted(str(field.alias) for field in RunSpec.model_fields.values() if field.alias not in MUTABLE)


def names(words: str, edge: Edge) -> bool:
    """Whether the words name the field, or what it is in."""
    return any(str(step) in words for step in edge.place if isinstance(step, str))


def sent(runs: TrainingRuns, edge: Edge, name: str) -> str:
    """What the API server made of it: stored, or refused in words. Fails if the words do not name the field."""
    run = as_kubectl_sends(edge.document())
    run["metadata"]["name"] = name
    path = f"{path_of('trainingruns', None, runs.namespace)}?fieldValidation=Strict"
    status, answer = runs.admin.send_text("POST", path, json.dumps(run))
    if status == 201:
        return "stored"
    words = json.loads(answer)["message"]
    is_unreadable = any(known in words for known in UNREADABLE)
    assert status in (400, 413, 422, 500 if is_unreadable else 422), f"{edge}: {status} {words[:500]}"
    assert is_unreadable or names(words, edge), f"{edge} is refused without its name: {words[:500]}"
    return "refused"


def told(run: Object, edge: Edge) -> str:
    """What the run's status says of it; empty while it says nothing yet. Fails if its words do not name the field."""
    status = run.get("status", {})
    if status.get("observedGeneration") != run["metadata"]["generation"]:
        return ""
    found = {entry["type"]: entry for entry in status.get("conditions", [])}
    if found["Accepted"]["status"] == "False":
        assert names(found["Accepted"]["message"], edge), f"{edge} is refused as {found['Accepted']}"
        return "not accepted"
    if found["Suspended"]["status"] == "True":
        return "suspended"
    # The quota is asked for last: the RayJob would have been stored.
    return {"QuotaExceeded": "rendered", "RenderRejected": "reported"}.get(found["PodsReady"]["reason"], "")


def batches(found: tuple[Edge, ...]) -> Iterator[tuple[Edge, ...]]:
    for at in range(0, len(found), BATCH):
        yield found[at : at + BATCH]


def outcomes_of(runs: TrainingRuns, batch: tuple[Edge, ...], numbers: Iterator[int]) -> Counter[str]:
    """Try a batch, wait until every run of it is told, and delete it again."""
    stored, outcomes = dict[str, Edge](), Counter[str]()
    for edge in batch:
        name = f"edge-{next(numbers)}"
        if sent(runs, edge, name) == "stored":
            stored[name] = edge
        else:
            outcomes["refused"] += 1

    def answers() -> list[str] | None:
        listed = {run["metadata"]["name"]: run for run in runs.admin.list("trainingruns", runs.namespace)}
        words = [told(listed[name], edge) for name, edge in stored.items()]
        return words if all(words) else None

    outcomes += Counter(runs.admin.until(answers, f"an answer to all of {stored}"[:2000]) if stored else [])
    for name in stored:
        runs.admin.delete("trainingruns", name, runs.namespace)
    runs.until_gone("trainingruns")
    return outcomes


def test_every_edge_is_refused_in_words_or_rendered_or_reported(
    crowd: TrainingRuns, runs: TrainingRuns, operator: OperatorProcess
) -> None:
    process, outcomes, numbers = operator.pid, Counter[str](), count()
    runs.apply("good")
    job = runs.job("good")
    chosen = edges()[BEGIN::STEP]
    for batch in batches(chosen):
        outcomes += outcomes_of(crowd, batch, numbers)
    print(f"of {len(chosen)} edges: {dict(outcomes)}")
    assert outcomes.total() == len(chosen)
    assert outcomes["refused"] > outcomes["rendered"] > len(chosen) / 20
    job.finish()
    runs.until("good", "Complete")
    assert len(runs.attempts("good")) == 1
    crowd.until_nothing_is_left()
    assert (operator.pid, operator.looks("bug")) == (process, 0)
    assert "please report" not in operator.output()


def test_no_field_of_a_run_that_trains_can_be_changed(runs: TrainingRuns, operator: OperatorProcess) -> None:
    run = runs.apply("live")
    job = runs.job("live")
    other = full_run("live")["spec"]
    for field in IMMUTABLE:
        changed = None if run["spec"].get(field) is not None else other[field]
        with pytest.raises(Refused, match=f"`{field}` may not be changed after creation"):
            runs.admin.patch("trainingruns", "live", {"spec": {field: changed}}, runs.namespace)
    runs.until("live", "PodsReady")
    assert runs.get("live")["metadata"]["generation"] == run["metadata"]["generation"]
    job.finish()
    runs.until("live", "Complete")
    assert [entry["outcome"] for entry in runs.attempts("live")] == ["Complete"]
    assert operator.looks("bug") == 0


def test_what_is_changed_and_changed_back_at_once_leaves_one_attempt_after_the_other(
    runs: TrainingRuns, operator: OperatorProcess
) -> None:
    runs.apply("live")
    runs.job("live")
    for suspend in (True, False) * 5:
        runs.admin.patch("trainingruns", "live", {"spec": {"suspend": suspend}}, runs.namespace)
    runs.dashboard.scripts[runs.namespace] = lambda job: job.finish()
    runs.until("live", "Complete", seconds=240)
    attempts = runs.attempts("live")
    assert [entry["outcome"] for entry in attempts] == ["Suspended"] * (len(attempts) - 1) + ["Complete"]
    assert operator.looks("bug") == 0
