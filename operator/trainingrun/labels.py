"""The names that tie Kubernetes objects, Ray nodes and the two packages together, in one place.

Nothing else belongs here: no functions, no settings.
"""

GROUP = "trainingrun.dev"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrainingRun"

# Ray's own key: Ray Data counts and uses only the nodes whose value is the one it was given. It must never be
# on trainer nodes, or an elastic run waits for ever for nodes that Ray Data has reserved.
RAY_DATA_KEY = "ray-subcluster"
RAY_DATA_VALUE = "data"
RAY_GROUP_KEY = f"{GROUP}/group"
RAY_TRAINER_VALUE = "trainer"
