"""A refusal of the API server is told by its cause, in the API server's words."""

from __future__ import annotations

import pytest
from condition_words import said
from seen_objects import (
    NOTHING,
    a_run,
    after_look,
    at,
)

from trainingrun.lifecycle.waiting import refusal_reason
from trainingrun.observed import Observed
from trainingrun.status.conditions import REFUSALS


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("Forbidden", 'pods "x" is forbidden: exceeded quota: gpus, requested: 8', "QuotaExceeded"),
        ("Forbidden", "failed quota: must specify limits.cpu", "QuotaExceeded"),
        ("Forbidden", 'pods "x" is forbidden: violates PodSecurity "restricted:latest"', "PodSecurityDenied"),
        ("Forbidden", 'admission webhook "v.acme" denied the request: no', "AdmissionDenied"),
        ("Invalid", "ValidatingAdmissionPolicy 'p' with binding 'b' denied request", "AdmissionDenied"),
        ("Forbidden", 'User "o" cannot create resource "rayjobs" in API group "ray.io"', "PermissionDenied"),
        ("Forbidden", 'User "o" cannot delete resource "rayjobs"', "PermissionDenied"),
        ("NotFound", "the server could not find the requested resource", "RayUnavailable"),
        ("BadRequest", 'no matches for kind "RayJob" in version "ray.io/v1"', "RayUnavailable"),
        ("Invalid", "spec.x: Invalid value", "RenderRejected"),
        ("BadRequest", "unknown field", "RenderRejected"),
        ("NameConflict", "exists and does not belong to this run", "NameConflict"),
        ("Teapot", "", "Refused"),
    ],
)
def test_a_refusal_is_told_by_its_cause_and_in_its_words(reason: str, message: str, expected: str) -> None:
    assert refusal_reason(reason, message) == expected and expected in REFUSALS
    refused = after_look(a_run(), NOTHING)
    holds = said(refused, Observed(refusal=(reason, message)), "PodsReady")
    assert holds == ("False", expected, message)


def test_the_words_of_a_refusal_survive_a_restart_of_the_operator() -> None:
    refused = after_look(after_look(a_run(), NOTHING), Observed(refusal=("Forbidden", "exceeded quota: gpus")), at(1))
    assert said(refused, NOTHING, "PodsReady") == ("False", "QuotaExceeded", "exceeded quota: gpus")
