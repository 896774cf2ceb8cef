"""What a cluster has of what runs need: each check is one line that says what was found, and what to do.

It only reads, and what the user may not read is not known, never missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from trainingrun.client.session import Session
from trainingrun.contract.labels import API_VERSION, KIND, RAY_API_VERSION
from trainingrun.kube import Body, Forbidden, NotFound, Resource
from trainingrun.kube.resources import (
    CLAIMS,
    DEPLOYMENTS,
    EVENTS,
    NODES,
    PODS,
    STORAGE_CLASSES,
    TRAINING_RUNS,
)
from trainingrun.spec.accelerators import is_gpu
from trainingrun.spec.quantity import Quantity

_OPERATOR = "app.kubernetes.io/name=trainingrun-operator,app.kubernetes.io/component=manager"
_KUEUE = ("kueue.x-k8s.io/v1beta2", "kueue.x-k8s.io/v1beta1")
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_MOST_NAMES = 5


class Verdict(StrEnum):
    """How a check came out. Only FAILED keeps runs from working."""

    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    verdict: Verdict
    words: str


async def cluster_checks(session: Session) -> list[Check]:
    """All checks of a cluster, made side by side. Raises what every command raises where it cannot be reached."""
    checks: tuple[Callable[[Session], Awaitable[Check]], ...] = (
        _definition,
        _kuberay,
        _operator,
        _rights,
        _gpus,
        _storage,
        _queues,
    )
    return list(await asyncio.gather(*(check(session) for check in checks)))


async def _definition(session: Session) -> Check:
    known = await session.api.resource_of(API_VERSION, KIND)
    if known is None:
        words = f"the cluster does not know {KIND} of {API_VERSION}: install the operator of this version"
        return Check("definition", Verdict.FAILED, words)
    return Check("definition", Verdict.OK, f"{KIND} {API_VERSION}")


async def _kuberay(session: Session) -> Check:
    if await session.api.resource_of(RAY_API_VERSION, "RayJob") is None:
        return Check("KubeRay", Verdict.FAILED, "the cluster does not know RayJob: install KubeRay 1.6 or newer")
    return Check("KubeRay", Verdict.OK, f"RayJob {RAY_API_VERSION}")


async def _operator(session: Session) -> Check:
    found = await _listed(session, DEPLOYMENTS, None, _OPERATOR)
    if found is None:
        return Check("operator", Verdict.UNKNOWN, "you may not list deployments of all namespaces")
    if not found:
        return Check("operator", Verdict.FAILED, "there is no deployment of it in this cluster: install it")
    (body, *_) = found
    wanted = int(body["spec"].get("replicas", 1))
    ready = int((body.get("status") or {}).get("readyReplicas") or 0)
    image = body["spec"]["template"]["spec"]["containers"][0]["image"]
    where = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
    words = f"{where}: {ready} of {wanted} replicas are ready, {image}"
    return Check("operator", Verdict.OK if ready else Verdict.FAILED, words)


async def _rights(session: Session) -> Check:
    wanted = [
        *((verb, TRAINING_RUNS, "") for verb in ("create", "get", "list", "watch", "patch", "delete")),
        ("list", PODS, ""),
        ("get", PODS, "log"),
        ("list", EVENTS, ""),
    ]
    allowed = await asyncio.gather(
        *(session.api.may(verb, resource, session.namespace, part) for verb, resource, part in wanted)
    )
    missing = [
        f"{verb} {resource.plural}{f'/{part}' if part else ''}"
        for (verb, resource, part), is_allowed in zip(wanted, allowed, strict=True)
        if not is_allowed
    ]
    where = f"in namespace {session.namespace}"
    if missing:
        return Check("your rights", Verdict.FAILED, f"{where} you may not {', '.join(missing)}: ask for such a role")
    return Check("your rights", Verdict.OK, f"all that the commands need {where}")


async def _gpus(session: Session) -> Check:
    nodes = await _listed(session, NODES, None)
    if nodes is None:
        return Check("GPUs", Verdict.UNKNOWN, "you may not list nodes")
    total: dict[str, int] = {}
    for node in nodes:
        for name, amount in ((node.get("status") or {}).get("allocatable") or {}).items():
            if is_gpu(name) and (count := Quantity(str(amount)).bytes):
                total[name] = total.get(name, 0) + count
    if not total:
        return Check("GPUs", Verdict.NOTE, f"none on {len(nodes)} nodes that Kubernetes can hand out: trains on CPUs")
    return Check("GPUs", Verdict.OK, ", ".join(f"{count} {name}" for name, count in sorted(total.items())))


async def _storage(session: Session) -> Check:
    claims = await _listed(session, CLAIMS, session.namespace)
    classes = await _listed(session, STORAGE_CLASSES, None)
    words = [
        f"claims in {session.namespace}: " + ("not known" if claims is None else _names(map(_claim, claims))),
        "storage classes: " + ("not known" if classes is None else _names(map(_class, classes))),
    ]
    verdict = Verdict.UNKNOWN if claims is None else Verdict.OK if claims else Verdict.NOTE
    return Check("storage", verdict, "; ".join(words))


async def _queues(session: Session) -> Check:
    for version in _KUEUE:
        resource = await session.api.resource_of(version, "LocalQueue")
        if resource is not None:
            queues = await _listed(session, resource, session.namespace)
            if queues is None:
                return Check("Kueue", Verdict.UNKNOWN, "installed; you may not list its queues")
            named = _names(str(queue["metadata"]["name"]) for queue in queues)
            return Check("Kueue", Verdict.OK, f"queues in {session.namespace}: {named}")
    return Check("Kueue", Verdict.NOTE, "not installed; only runs in queues need it")


async def _listed(session: Session, resource: Resource, namespace: str | None, selector: str = "") -> list[Body] | None:
    """The objects; None where the user may not list them, or the cluster does not know them."""
    try:
        return await session.api.list(resource, namespace, selector=selector)
    except (Forbidden, NotFound):
        return None


def _claim(body: Body) -> str:
    modes = "+".join(body["spec"].get("accessModes") or ())
    return f"{body['metadata']['name']} ({modes}, {(body.get('status') or {}).get('phase', 'not bound')})"


def _class(body: Body) -> str:
    is_default = (body["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    return f"{body['metadata']['name']}{' (default)' if is_default else ''}"


def _names(names: Iterable[str]) -> str:
    every = sorted(names)
    more = len(every) - _MOST_NAMES
    return ", ".join(every[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "") or "none"
