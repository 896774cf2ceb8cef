"""Operators that lack one of the rights which the manifests give: each alone in a namespace, with rights of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from control_plane import ControlPlane
from operator_process import NAMESPACE, OPERATOR, apply, manifests
from our_manifests import RIGHTS
from raw_client import Object


@dataclass(frozen=True)
class Rule:
    """One rule of a role, by its place."""

    role: str
    index: int
    body: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def allows(self) -> set[tuple[str, str]]:
        """Resources and verbs."""
        fields = dict(self.body)
        return {(resource, verb) for resource in fields["resources"] for verb in fields["verbs"]}

    def __str__(self) -> str:
        return " ".join(sorted({resource for resource, _ in self.allows})) + f" of the {self.role}"


def rules() -> Iterator[Rule]:
    """Every rule that the operator has."""
    for body in manifests(RIGHTS):
        for index, rule in enumerate(body.get("rules", ())):
            yield Rule(body["kind"], index, tuple((field, tuple(values)) for field, values in rule.items()))


def give_rights(plane: ControlPlane, namespace: str, without: Rule | None = None) -> str:
    """Give the rights, less one rule, to an account of this namespace. Returns the account's user."""
    for original in manifests(RIGHTS):
        apply(plane, _of_namespace(original, namespace, without))
    return f"system:serviceaccount:{namespace}:{OPERATOR}"


def take_rights(plane: ControlPlane, namespace: str) -> None:
    """Delete what is not deleted with the namespace."""
    for plural in ("clusterrolebindings", "clusterroles"):
        plane.admin.delete(plural, f"{OPERATOR}-of-{namespace}")


def _of_namespace(original: Object, namespace: str, without: Rule | None) -> Object:
    """The object for this namespace: what is in one moves here, and what is in none gets a name of its own."""
    body = copy.deepcopy(original)
    if body["metadata"].get("namespace") == NAMESPACE:
        body["metadata"]["namespace"] = namespace
    else:
        body["metadata"]["name"] += f"-of-{namespace}"
    if without is not None and without.role == body["kind"]:
        del body["rules"][without.index]
    for subject in body.get("subjects", ()):
        subject["namespace"] = namespace
    if body["kind"] == "ClusterRoleBinding":
        body["roleRef"]["name"] += f"-of-{namespace}"
    return body
