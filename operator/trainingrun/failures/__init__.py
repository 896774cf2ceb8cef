"""Why an attempt failed, in which class that is, and what follows by the run's policy.

Pure: evidence in, verdict out. It must not know how a status is written.
"""

from trainingrun.failures.classify import failure_of_ended, failure_of_live, failure_of_waiting
from trainingrun.failures.evidence import Evidence, oldest_first
from trainingrun.failures.failure import Failure
from trainingrun.failures.pod_evidence import head_failure, waits_for_image
from trainingrun.failures.policy import LONGEST_BACKOFF, UNCOUNTED_BACKOFF, action_for, backoff

__all__ = [
    "LONGEST_BACKOFF",
    "UNCOUNTED_BACKOFF",
    "Evidence",
    "Failure",
    "action_for",
    "backoff",
    "failure_of_ended",
    "failure_of_live",
    "failure_of_waiting",
    "head_failure",
    "oldest_first",
    "waits_for_image",
]
