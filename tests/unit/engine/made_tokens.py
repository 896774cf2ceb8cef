"""Tokens of pods as the API server makes them, but for the signature, which nobody here can check."""

from __future__ import annotations

import base64
import json
from typing import Any

AUDIENCE = "trainingrun.dev"
# Long after all times of the tests.
LATER = 4_000_000_000


def token(signature: str = "good", /, **claims: Any) -> str:
    """A token of a pod. Tokens with different signatures differ in nothing else."""
    pod = {"name": "mnist-head", "uid": "pod-1"}
    words = {"aud": [AUDIENCE], "exp": LATER, "kubernetes.io": {"namespace": "team", "pod": pod}, **claims}
    parts = (json.dumps({"alg": "ES256"}), json.dumps(words))
    return ".".join([*(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts), signature])


def bound_to(namespace: str, name: str, uid: str) -> dict[str, Any]:
    """The claim that binds a token to a pod."""
    return {"kubernetes.io": {"namespace": namespace, "pod": {"name": name, "uid": uid}}}
