"""Reads runs and their runtimes from the JSON of the API server.

A run with a runtime is read together with the snapshot that its status has of it. It must accept whatever an API server
may send: fields that are missing are empty, never an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trainingrun.contract.labels import API_VERSION
from trainingrun.errors import InvalidSpec, Problem
from trainingrun.observed.objects import RunObject, RuntimeObject
from trainingrun.observed.reading import EPOCH, Body, shared, time_of
from trainingrun.spec import Run, parse
from trainingrun.spec.managing import manageable_spec
from trainingrun.spec.run import RunSpec
from trainingrun.spec.runtime import (
    check_alone,
    parse_runtime,
    parse_with,
    reference_of,
    snapshot_of,
    with_template,
)

_IDENTITY = ("name", "namespace", "uid")


class _Read(NamedTuple):
    """What a run's document says. `awaiting` is the document where it needs a runtime that it has not met yet."""

    run: Run | None
    spec: RunSpec
    problems: tuple[Problem, ...] = ()
    awaiting: Mapping[str, Any] | None = None


def run_object_of(body: Body, before: RunObject | None = None) -> RunObject:
    """A TrainingRun. An invalid spec is kept as its problems. `before` is the object as it was, if that is known."""
    metadata = body["metadata"]
    read = _known(body, before) or _read(body)
    return RunObject(
        namespace=shared(metadata.get("namespace", "")),
        name=metadata["name"],
        uid=shared(metadata["uid"]),
        generation=metadata.get("generation", 0),
        resource_version=metadata.get("resourceVersion", ""),
        created=time_of(metadata.get("creationTimestamp")) or EPOCH,
        deleting="deletionTimestamp" in metadata,
        labels=shared(metadata.get("labels") or {}),
        run=read.run,
        spec=read.spec,
        problems=read.problems,
        status=shared(body.get("status") or {}),
        awaiting=read.awaiting,
    )


def runtime_of(kind: str, body: Body) -> RuntimeObject:
    """A runtime of this kind. One that is not valid is kept as its problems."""
    metadata = body["metadata"]
    # Of its metadata, only the name is the API's; the rest is Kubernetes' own.
    document = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": metadata["name"]}, "spec": body["spec"]}
    template: Mapping[str, Any] = {}
    problems: tuple[Problem, ...] = ()
    try:
        template = parse_runtime(document).template
    except InvalidSpec as error:
        problems = error.problems
    except Exception as error:  # a fault of ours, met on somebody's spec: it says so, and all others go on
        problems = (_unreadable(error),)
    return RuntimeObject(
        kind=shared(kind),
        namespace=shared(metadata.get("namespace", "")),
        name=metadata["name"],
        uid=shared(metadata["uid"]),
        generation=metadata.get("generation", 0),
        template=shared(template),
        problems=problems,
    )


def problems_with(awaiting: Mapping[str, Any], runtime: str, template: Mapping[str, Any]) -> tuple[Problem, ...]:
    """What is wrong with a run once it has this runtime's template; nothing if it is valid."""
    try:
        parse_with(awaiting, runtime, template)
    except InvalidSpec as error:
        return error.problems
    except Exception as error:  # as above
        return (_unreadable(error),)
    return ()


def _known(body: Body, before: RunObject | None) -> _Read | None:
    """What was read before if the spec has not changed, as it hardly ever does, nor the snapshot of its runtime.

    Labels and annotations are left out: they change at any time, and decide nothing about the spec.
    """
    metadata = body["metadata"]
    if before is None or (before.uid, before.generation) != (metadata["uid"], metadata.get("generation")):
        return None
    if snapshot_of(body) != snapshot_of({"status": before.status}):
        return None
    return _Read(before.run, before.spec, before.problems, before.awaiting)


def _read(body: Body) -> _Read:
    metadata = body["metadata"]
    document = {**body, "metadata": {key: value for key, value in metadata.items() if key in _IDENTITY}}
    manageable = document
    try:
        reference, snapshot = reference_of(document), snapshot_of(document)
        if reference is None:
            run = parse(document)
        elif snapshot is None:
            check_alone(document)
            kept = {key: shared(value) for key, value in document.items() if key != "status"}
            return _Read(None, manageable_spec(document), awaiting=kept)
        else:
            manageable = with_template(document, snapshot)
            run = parse_with(document, str(reference), snapshot)
    except InvalidSpec as error:
        return _Read(None, manageable_spec(manageable), error.problems)
    except Exception as error:  # a fault of ours, met on somebody's spec: that run says so, and all others go on
        return _Read(None, manageable_spec(manageable), (_unreadable(error),))
    return _Read(run, run.spec)


def _unreadable(error: Exception) -> Problem:
    found = f"what this version of the operator fails to read ({type(error).__name__}: {error})"
    return Problem("spec", found, "all that the schema admits; please report this as a bug")
