"""Runs for tests: a test names only the fields that it is about."""

from __future__ import annotations

from typing import Any

from trainingrun.spec import Run, parse


def run_of(*, metadata: dict[str, Any] | None = None, **spec: Any) -> Run:
    """A valid run with these fields of its spec changed; None takes a field away."""
    fields = {
        "image": "trainer:1",
        "recipe": {
            "dataset": {"train": {"format": "Parquet", "path": "/data/train"}},
            "globalBatchSize": 5040,  # divides by 1 to 10
        },
        "storage": {"uri": "s3://bucket/runs"},
        **spec,
    }
    return parse(
        {
            "apiVersion": "trainingrun.dev/v1beta1",
            "kind": "TrainingRun",
            "metadata": {"name": "digits", **(metadata or {})},
            "spec": {name: value for name, value in fields.items() if value is not None},
        }
    )


def trainer(nodes: int = 1, processes: int = 1, cpu: object = 4, gpus: int = 0) -> dict[str, Any]:
    """The trainer group of a run."""
    limits = {"cpu": cpu, **({"nvidia.com/gpu": gpus} if gpus else {})}
    return {"numNodes": nodes, "numProcPerNode": processes, "resourcesPerNode": {"limits": limits}}
