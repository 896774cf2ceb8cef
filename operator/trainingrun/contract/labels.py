"""The names that tie Kubernetes objects, Ray nodes and the two packages together, in one place.

Nothing else belongs here: no functions, no settings.
"""

GROUP = "trainingrun.dev"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrainingRun"
PLURAL = "trainingruns"
SHORT_NAME = "trun"
# Defaults of runs: of a namespace, and of the whole cluster.
RUNTIME_KIND = "TrainingRuntime"
RUNTIME_PLURAL = "trainingruntimes"
RUNTIME_SHORT_NAME = "truntime"
CLUSTER_RUNTIME_KIND = "ClusterTrainingRuntime"
CLUSTER_RUNTIME_PLURAL = "clustertrainingruntimes"
CLUSTER_RUNTIME_SHORT_NAME = "ctruntime"

RAY_API_VERSION = "ray.io/v1"

# On every object that the operator makes, and on every pod that KubeRay makes of it.
MANAGED_BY_KEY = "app.kubernetes.io/managed-by"
MANAGED_BY_VALUE = "trainingrun-operator"
RUN_NAME_KEY = f"{GROUP}/run-name"
RUN_UID_KEY = f"{GROUP}/run-uid"
ATTEMPT_KEY = f"{GROUP}/attempt"

# Who writes which fields of status, for server-side apply: the reconciler, and the progress endpoint.
FIELD_MANAGER = "trainingrun-operator"
PROGRESS_FIELD_MANAGER = "trainingrun-progress"

# Kueue's labels that a run hands on to its RayJob.
QUEUE_KEY = "kueue.x-k8s.io/queue-name"
KUEUE_KEYS = (QUEUE_KEY, "kueue.x-k8s.io/priority-class", "kueue.x-k8s.io/max-exec-time-seconds")
# Kueue's annotation of a RayJob that its autoscaler may enlarge. KubeRay copies it to the RayCluster, whose pods Kueue
# then holds back until it has room for each: without a queue nothing would ever release them.
ELASTIC_KEY = "kueue.x-k8s.io/elastic-job"

# Kueue's annotations of pods that are to share a domain of its topology: if they can, or else wait.
PREFERRED_TOPOLOGY_KEY = "kueue.x-k8s.io/podset-preferred-topology"
REQUIRED_TOPOLOGY_KEY = "kueue.x-k8s.io/podset-required-topology"

# Ray's own key: Ray Data counts and uses only the nodes whose value is the one it was given. It must never be
# on trainer nodes, or an elastic run waits forever for nodes that Ray Data has reserved.
RAY_DATA_KEY = "ray-subcluster"
RAY_DATA_VALUE = "data"
# On Ray nodes and on pods: which group of the run they belong to.
RAY_GROUP_KEY = f"{GROUP}/group"
RAY_HEAD_VALUE = "head"
RAY_TRAINER_VALUE = "trainer"
