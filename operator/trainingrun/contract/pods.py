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

_RAYS_OWN = (
    "pydantic.v1.fields",
    "ray.dag.compiled_dag_node",
    "ray.data._internal.issue_detection.issue_detector_configuration",
)
# By the group of a pod, what its processes load of what is nobody's own, for seconds: they may do so before there is a
# run. None of it may ask for GPUs, since a process is given its own only later.
PRELOADED_MODULES = {
    "data": (
        *_RAYS_OWN,
        "trainingrun_trainer.data.formats.parquet",
        "trainingrun_trainer.data.formats.text",
        "trainingrun_trainer.data.formats.images",
        "trainingrun_trainer.pool.worker",
    ),
    "trainer": (
        *_RAYS_OWN,
        "ray.train.torch.config",
        "ray.tune.trainable.trainable_fn_utils",
        "torch",
        "torch._dynamo",
        "torchvision",
        "trainingrun_trainer.driver.backend",
        "trainingrun_trainer.pool.client",
        "trainingrun_trainer.train.hub_link",
        "trainingrun_trainer.train.lockstep",
        "trainingrun_trainer.train.loop",
        "trainingrun_trainer.train.opening",
        "trainingrun_trainer.train.worker",
    ),
}

# Of a run with spec.code: the container that unpacks it before Ray starts, where it finds the archive of a ConfigMap,
# and where the code is then.
CODE_CONTAINER = "code"
CODE_MODULE = "trainingrun_trainer.fetch_code"
CODE_ARCHIVE_DIRECTORY = "/opt/trainingrun/archive"
CODE_DIRECTORY = "/opt/trainingrun/code"
