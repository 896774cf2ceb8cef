"""What pods and the training image have agreed on: versions, modules, files and seconds.

Tests compare it with what the image defines on its own: its version of Ray, and the modules that pods start.
"""

from __future__ import annotations

from trainingrun.contract.labels import GROUP

# The version in the training image (requirements/trainer.txt): KubeRay chooses probes and authentication by it.
RAY_VERSION = "2.60.0"

# Ray's own container in the head's pod, and in all others.
HEAD_CONTAINER = "ray-head"
WORKER_CONTAINER = "ray-worker"

ENTRYPOINT = "python -m trainingrun_trainer"

# The training image's user. The autoscaler, which has a token for the Kubernetes API, shares a pod with the head, but
# neither user nor process namespace.
RAY_USER, AUTOSCALER_USER = 1000, 1001

# Where Ray's agent on each node says whether Ray is well there.
HEALTH_PATH = "/api/healthz"
HEALTH_PORT = 52365

CONFIGURATION_ANNOTATION = f"{GROUP}/run"
CONFIGURATION_FIELD = f"metadata.annotations['{CONFIGURATION_ANNOTATION}']"
CONFIGURATION_DIRECTORY = "/etc/trainingrun"
CONFIGURATION_FILE = "run.json"

PROGRESS_CA_ANNOTATION = f"{GROUP}/progress-ca"
PROGRESS_CA_FIELD = f"metadata.annotations['{PROGRESS_CA_ANNOTATION}']"
PROGRESS_DIRECTORY = f"/var/run/secrets/{GROUP}/progress"

# Of the time that a pod has which must go, Ray needs this much to stop. All before it is the hook's, which waits for
# the checkpoint.
STOP_SECONDS = 10
