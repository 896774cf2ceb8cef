"""Why an attempt failed, in which class that is, and what follows by the run's policy.

Pure: evidence in, verdict out. It must not know what a status looks like.
"""

from trainingrun.failures.classify import classify
from trainingrun.failures.evidence import (
    doubled_head,
    head_failure,
    image_that_cannot_heal,
    is_image_trouble,
    trainer_failure,
)
from trainingrun.failures.failure import DEADLINE_EXCEEDED, Failure
from trainingrun.failures.policy import LONGEST_BACKOFF, UNCOUNTED_BACKOFF, action_for, backoff

__all__ = [
    "DEADLINE_EXCEEDED",
    "LONGEST_BACKOFF",
    "UNCOUNTED_BACKOFF",
    "Failure",
    "action_for",
    "backoff",
    "classify",
    "doubled_head",
    "head_failure",
    "image_that_cannot_heal",
    "is_image_trouble",
    "trainer_failure",
]
