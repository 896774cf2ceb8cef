"""The run as its driver reads it: the document without what only the operator or Kubernetes needs.

Above all without environment variables and annotations, which may hold secrets: it becomes an annotation of a pod,
which more people may read than the run's own object.
"""

from __future__ import annotations

from trainingrun.render.text import json_text
from trainingrun.spec import Run

_METADATA = ("name", "namespace", "uid")
_NOT_THE_DRIVERS = ("env", "imagePullSecrets", "podTemplatePatches", "terminationGracePeriodSeconds")


def configuration(run: Run) -> str:
    """A TrainingRun document in JSON; `trainingrun.spec.parse` accepts it."""
    document = run.to_document()
    document["metadata"] = {key: value for key, value in document["metadata"].items() if key in _METADATA}
    spec = {key: value for key, value in document["spec"].items() if key not in _NOT_THE_DRIVERS}
    for group in ("trainer", "data"):
        if group in spec:
            spec[group] = {key: value for key, value in spec[group].items() if key != "env"}
    return json_text({**document, "spec": spec})
