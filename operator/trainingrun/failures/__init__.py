"""Why an attempt failed, in which class that is, and what follows by the run's policy.

Pure: evidence in, verdict out. It must not know how a status is written.
"""

from trainingrun.failures.classify import failure_of_ended, failure_of_gone, failure_of_live, failure_of_waiting
from trainingrun.failures.evidence import Evidence, oldest_first
from trainingrun.failures.failure import Failure
from trainingrun.failures.gate import ABSENCE, THE_CLOCK, Found, final, needs_proof
from trainingrun.failures.pod_evidence import head_failure, image_wait
from trainingrun.failures.policy import LONGEST_BACKOFF, action_for, backoff

__all__ = [
    "ABSENCE",
    "LONGEST_BACKOFF",
    "THE_CLOCK",
    "Evidence",
    "Failure",
    "Found",
    "action_for",
    "backoff",
    "failure_of_ended",
    "failure_of_gone",
    "failure_of_live",
    "failure_of_waiting",
    "final",
    "head_failure",
    "image_wait",
    "needs_proof",
    "oldest_first",
]
