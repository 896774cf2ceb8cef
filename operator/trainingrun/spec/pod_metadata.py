"""Labels and annotations of pods, for the policies, meshes and cloud identities of a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from trainingrun.errors import Problem
from trainingrun.spec.model import KEY_LENGTH, KEY_PATTERN, LabelValue, Model, keys_match, text
from trainingrun.spec.patches import Target
from trainingrun.spec.paths import join_path

# What selects pods, or tells Kubernetes, KubeRay, Kueue or the operator what to do with them.
RESERVED_KEY_PATTERN = r"^([^/]*[.])?(ray[.]io|x-k8s[.]io|trainingrun[.]dev|kubernetes[.]io|k8s[.]io)/"
FREE_KEYS = tuple(f"app.kubernetes.io/{name}" for name in ("component", "instance", "part-of", "version"))
_RESERVED_KEY = re.compile(RESERVED_KEY_PATTERN)
RESERVED_WORDS = (
    "no prefix of Kubernetes, KubeRay, Kueue or TrainingRuns (kubernetes.io, k8s.io, x-k8s.io, ray.io, "
    f"trainingrun.dev), except {', '.join(FREE_KEYS)}"
)

POD_KEYS = keys_match(KEY_PATTERN, KEY_LENGTH, "at most 317 characters, as in Kubernetes' labels and annotations")
PodLabels = Annotated[dict[str, LabelValue], Field(max_length=32), AfterValidator(POD_KEYS)]
PodAnnotations = Annotated[
    dict[str, Annotated[str, text(2048, min_length=0)]], Field(max_length=32), AfterValidator(POD_KEYS)
]


class PodMetadata(Model):
    """Labels and annotations for the pods of one group."""

    target: Target = Field(description="The pods that get them.")
    labels: PodLabels = Field(default={}, description=f"Labels, at most 32: {RESERVED_WORDS}.")
    annotations: PodAnnotations = Field(
        default={}, description="Annotations, at most 32 of at most 2,048 characters: prefixes as in labels."
    )

    def broken_rules(self) -> Iterable[Problem]:
        """No key that means something to those who manage the pods."""
        for field, keys in (("labels", self.labels), ("annotations", self.annotations)):
            for key in keys:
                if _RESERVED_KEY.match(key) and key not in FREE_KEYS:
                    yield Problem(join_path((field, key)), "a reserved prefix", RESERVED_WORDS)
