"""The environment variables that the training image reads, one list for all who set them.

The operator sets them in pods, `trainingrun local` on one machine, and users in `spec.env` or by hand. Those of the
progress protocol are in `progress_protocol`, since they are Kubeflow's. It must not hold values.
"""

# Of a driver: which run, which attempt at it (the first is 0), and whether records are printed as JSON lines.
CONFIG = "TRAININGRUN_CONFIG"
ATTEMPT = "TRAININGRUN_ATTEMPT"
JSON = "TRAININGRUN_JSON"
# Of a driver: the folder of the run that `spec.recipe.initialCheckpoint.run` names.
INITIAL_CHECKPOINT = "TRAININGRUN_INITIAL_CHECKPOINT"
# Of a driver: other training workers than the run's own, where the cluster was not made for the run.
NUM_WORKERS = "TRAININGRUN_NUM_WORKERS"
WORKER_CPUS = "TRAININGRUN_WORKER_CPUS"
WORKER_GPUS = "TRAININGRUN_WORKER_GPUS"
# Of a driver: that the cluster's nodes have its PYTHONPATH already. Ray would set it for each process with a program
# that loads Ray, only to start another one that does.
NODES_HAVE_PATH = "TRAININGRUN_NODES_HAVE_PATH"
# For runs whose pods get a resource that is called a GPU and is none, as in tests of the placement.
TRAIN_ON_CPU = "TRAININGRUN_TRAIN_ON_CPU"
# Of the preStop hook: how long it may hold a pod.
DRAIN_SECONDS = "TRAININGRUN_DRAIN_SECONDS"
# Of the postStart hook of worker pods: how many processes Ray is to start there before there is a driver.
PRESTART = "TRAININGRUN_PRESTART"
# Ray's: what its processes load before they are given anything to do, and how many threads their computing has.
RAY_PRELOAD = "RAY_preload_python_modules"
THREADS = "OMP_NUM_THREADS"
# Of a driver, for the clients of trackers, which read them themselves: from the keys of these names in a Secret.
MLFLOW_CREDENTIALS = ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
WANDB_CREDENTIALS = ("WANDB_API_KEY",)
