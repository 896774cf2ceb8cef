"""What can keep a run's RayJob or pods from being made, each as an obstacle in a namespace of its own.

Obstacles are put up and taken away here; what the operator says of them is the business of the tests.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import yaml
from operator_process import OPERATOR
from raw_client import Object, RawClient, Refused, path_of
from training_runs import TrainingRuns

_HAND_WRITTEN = Path(__file__).parent / "rayjob.yaml"


class Obstacle(ABC):
    """Stands in the way of the run `held`. `reason` and `words` are what is to be said of it."""

    reason: str
    words: str

    def __init__(self, runs: TrainingRuns):
        self.runs = runs
        self.admin: RawClient = runs.admin
        self.namespace = runs.namespace

    def hold(self) -> None:
        """Put it up and apply the run."""
        self.put_up()
        self.runs.apply("held")

    @abstractmethod
    def put_up(self) -> None:
        """Return when it is in force."""

    @abstractmethod
    def take_away(self) -> None:
        """Nothing stands in the way any more."""


class QuotaOfRayJobs(Obstacle):
    reason, words = "QuotaExceeded", "exceeded quota: small"
    hard: ClassVar[Object] = {"count/rayjobs.ray.io": "0"}

    def put_up(self) -> None:
        quota = {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "small"},
            "spec": {"hard": self.hard},
        }
        self.admin.create("resourcequotas", quota, self.namespace)
        self.admin.until(self._is_counted, "a quota")

    def take_away(self) -> None:
        self.admin.delete("resourcequotas", "small", self.namespace)

    def _is_counted(self) -> bool:
        return "used" in self.admin.get("resourcequotas", "small", self.namespace).get("status", {})


class QuotaOfPods(QuotaOfRayJobs):
    hard: ClassVar[Object] = {"pods": "1"}


class LimitOfContainers(Obstacle):
    reason, words = "Refused", "maximum cpu usage per Container is 1m"

    def put_up(self) -> None:
        limits = {"limits": [{"type": "Container", "max": {"cpu": "1m"}}]}
        body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits}
        self.admin.create("limitranges", body, self.namespace)

    def take_away(self) -> None:
        self.admin.delete("limitranges", "small", self.namespace)


class AdmissionPolicy(Obstacle):
    reason, words = "AdmissionDenied", "no RayJobs on Fridays"

    def put_up(self) -> None:
        group = "admissionregistration.k8s.io/v1"
        rule = {"apiGroups": ["ray.io"], "apiVersions": ["*"], "resources": ["rayjobs"], "operations": ["CREATE"]}
        where = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
        policy = {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": self.namespace},
            "spec": {
                "matchConstraints": {"resourceRules": [rule], "namespaceSelector": where},
                "validations": [{"expression": "false", "message": self.words}],
            },
        }
        binding = {
            "apiVersion": group,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": self.namespace},
            "spec": {"policyName": self.namespace, "validationActions": ["Deny"]},
        }
        self.admin.create("validatingadmissionpolicies", policy)
        self.admin.create("validatingadmissionpolicybindings", binding)
        self.admin.until(self._is_in_force, "the policy is in force")

    def take_away(self) -> None:
        for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            self.admin.delete(plural, self.namespace)

    def _is_in_force(self) -> bool:
        path = path_of("rayjobs", None, self.namespace)
        try:
            self.admin.request("POST", path, strange_ray_job("probe"), dryRun="All")
        except Refused as refusal:
            return self.words in refusal.message
        return False


class NameTaken(Obstacle):
    """Somebody else's RayJob has the name that the run's is to have."""

    reason, words = "NameConflict", "exists and"

    def hold(self) -> None:
        """Suspended, a run has no RayJob yet: its name is known before it is needed."""
        self.runs.apply("held", suspend=True)
        self.put_up()
        self.admin.patch("trainingruns", "held", {"spec": {"suspend": False}}, self.namespace)

    def put_up(self) -> None:
        self.admin.create("rayjobs", strange_ray_job(self.runs.ray_job("held")), self.namespace)

    def take_away(self) -> None:
        """Of its own accord: the stranger was left alone until now."""
        stranger = self.admin.get("rayjobs", self.runs.ray_job("held"), self.namespace)
        assert "ownerReferences" not in stranger["metadata"]
        self.admin.delete("rayjobs", stranger["metadata"]["name"], self.namespace)


class MissingPermission(Obstacle):
    """All others are told of before: a permission is missed in every namespace."""

    reason, words = "PermissionDenied", 'cannot create resource "rayjobs"'

    def put_up(self) -> None:
        role = self.admin.get("clusterroles", OPERATOR)
        self._rules = role["rules"]
        others = [rule for rule in self._rules if "rayjobs" not in rule["resources"]]
        reading = {"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["get", "list", "watch", "delete"]}
        self.admin.patch("clusterroles", OPERATOR, {"rules": [*others, reading]})

    def take_away(self) -> None:
        self.admin.patch("clusterroles", OPERATOR, {"rules": self._rules})


OBSTACLES: tuple[type[Obstacle], ...] = (
    QuotaOfRayJobs,
    QuotaOfPods,
    LimitOfContainers,
    AdmissionPolicy,
    NameTaken,
    # It must be the last one.
    MissingPermission,
)


def strange_ray_job(name: str) -> Object:
    """A RayJob of somebody else; KubeRay leaves it alone, for it is suspended."""
    body: Object = yaml.safe_load(_HAND_WRITTEN.read_text())
    return {**body, "metadata": {"name": name}, "spec": {**body["spec"], "suspend": True}}
