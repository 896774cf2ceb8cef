"""Runs that break one rule of the definition each, and changes of a run that may not be made."""

from __future__ import annotations

from typing import Any

from raw_client import Object
from run_documents import document, gpus, recipe

_CLAIM = {"claimName": "c", "mountPath": "/m"}
_DIGEST = "0a" * 32
_ON_A_CLAIM = {"uri": "/mnt/code.tar.gz", "sha256": _DIGEST}
_CLAIM_BESIDE = {"persistentVolumeClaim": _CLAIM}
_ON_CLAIM = {"persistentVolumeClaim": _CLAIM}
_ROWS_IN_BATCHES = {"function": "a:b", "kind": "Row", "batchFormat": "NumPy"}
_ROWS_OF_A_BATCH = {"function": "a:b", "kind": "Row", "batchSize": 8}
_STEP = {"function": "a:b", "kind": "Batch"}
_TYPED_PARQUET = {"format": "Parquet", "path": "/x", "schema": {"a": "int64"}}
_NAMELESS_COLUMN = {"format": "CSV", "path": "/x", "schema": {"": "int64"}}
_TWICE = ["a", "b", "a"]
_MEASURED_TWICE = recipe(metric={"function": "a:b"}, metrics=[{"function": "a:c"}])
_STOPPED_BY_VALIDATION = recipe(earlyStopping={"metric": "validation_loss", "patience": 1})
_FP16 = recipe(mixedPrecision="FP16")
_BEST_VALIDATION = {"uri": "s3://b", "checkpoints": {"best": {"metric": "validation_loss"}}}
_SECRET = {"secretKeyRef": {"name": "s", "key": "k"}}
_SCRATCH = {"name": "scratch", "emptyDir": {}}
_AT_SCRATCH = {"volumeMounts": [{"name": "scratch", "mountPath": "/mnt/scratch"}]}
_AT_STORAGE = {"persistentVolumeClaim": {"claimName": "c", "mountPath": "/mnt/scratch"}}
_PROJECTED_NOTHING = {"name": "a", "projected": {"sources": [{}]}}
_LESS_THAN_NOTHING = {"name": "a", "emptyDir": {"sizeLimit": "-1"}}


def data(**resources: Any) -> Object:
    return document(data={"resourcesPerNode": resources})


def head(**resources: Any) -> Object:
    return document(head={"resources": resources})


def dataset(**fields: Any) -> Object:
    return document(recipe={"dataset": recipe()["dataset"] | fields})


def selector(**labels: str) -> Object:
    return document(podTemplatePatches=[{"target": "Head", "spec": {"nodeSelector": labels}}])


def mounted(path: str) -> Object:
    return document(storage={"persistentVolumeClaim": {"claimName": "c", "mountPath": path}})


def volumes(*entries: Object, **spec: Any) -> Object:
    """A run with these volumes, mounted at paths of their names."""
    names = [entry["name"] for entry in entries]
    mounts = [{"name": name, "mountPath": f"/mnt/{name}"} for name in dict.fromkeys(names)]
    return document(**{"volumes": list(entries), "volumeMounts": mounts, **spec})


def twice(group: str) -> Object:
    return volumes(_SCRATCH, **{group: _AT_SCRATCH})


def at_storage(group: str) -> Object:
    return document(volumes=[_SCRATCH], storage=_AT_STORAGE, **{group: _AT_SCRATCH})


def mount(**fields: Any) -> Object:
    return volumes(_SCRATCH, volumeMounts=[{"name": "scratch", "mountPath": "/mnt/scratch", **fields}])


def attribute(key: str) -> Object:
    return volumes({"name": "keys", "csi": {"driver": "example.com", "volumeAttributes": {key: "x"}}})


def metadata(**fields: Any) -> Object:
    return document(podMetadata=[{"target": "Data", **fields}])


def begun_from(storage: Object | None = None, **initial: str) -> Object:
    fields = {"storage": storage} if storage else {}
    return document(recipe=recipe(initialCheckpoint=initial), **fields)


def tolerating(**toleration: Any) -> Object:
    return document(podTemplatePatches=[{"target": "Head", "spec": {"tolerations": [toleration]}}])


def step(**fields: Any) -> Object:
    return document(recipe=recipe(transforms=[{**_STEP, **fields}]))


_TOLERATION = "spec.podTemplatePatches[0].spec.tolerations[0]"
_NO_MEMORY = step(kind="Class", resources={"memory": "-1Gi"})
# What breaks each rule: (where the API server says so, words of the rule's message, the run).
BROKEN: list[tuple[str, str, Object]] = [
    ("metadata.name", "must be lower-case letters", document("1st")),
    ("metadata.name", "must be lower-case letters", document("a.b")),
    ("spec.env[0]", "exactly one of `value` and", document(env=[{"name": "A"}])),
    ("spec.env[0]", "exactly one of `value` and", document(env=[{"name": "A", "value": "", "valueFrom": _SECRET}])),
    ("spec.env[0].valueFrom", "exactly one of `secretKeyRef`", document(env=[{"name": "A", "valueFrom": {}}])),
    ("spec.recipe.dataset.onBadRow.maxShare", "`maxShare` may only", dataset(onBadRow={"maxShare": "0.01"})),
    ("spec.recipe.transform", "`batchFormat` may only", document(recipe=recipe(transform=_ROWS_IN_BATCHES))),
    ("spec.recipe.transform", "`batchSize` may only", document(recipe=recipe(transform=_ROWS_OF_A_BATCH))),
    ("spec.recipe.dataset.cache.path", "`path` must be set unless", dataset(cache={"mode": "ReadOnly"})),
    ("spec.recipe", "at most one of `transform`", document(recipe=recipe(transform=_STEP, transforms=[_STEP]))),
    ("spec.recipe.transforms[0]", "`concurrency` may only", step(concurrency=2)),
    ("spec.recipe.transforms[0]", "`resources` may only", step(resources={})),
    ("spec.recipe.transforms[0].kind", "`kind` must be `Batch` or", step(kind="Row", runOn="Trainer")),
    ("spec.recipe.transforms[0]", "may only be set with `runOn: Data`", step(batchSize=2, runOn="Trainer")),
    ("spec.recipe.transforms[0].resources.cpu", "`cpu` must be more", step(kind="Class", resources={"cpu": 0})),
    ("spec.recipe.transforms[0].resources.memory", "`memory` must be more", _NO_MEMORY),
    ("spec.recipe.transforms[0].resources.gpu", "`gpu` must be more", step(kind="Class", resources={"gpu": "0"})),
    ("spec.recipe.transforms[0].resources.gpu", "must be a whole number", step(kind="Class", resources={"gpu": "1.5"})),
    ("spec.recipe", "needs a GPU in `data", step(kind="Class", resources={"gpu": 1})),
    ("spec.recipe.dataset.train", "`schema` may only", dataset(train=_TYPED_PARQUET)),
    ("spec.recipe.dataset.train.schema", "keys must be names of columns", dataset(train=_NAMELESS_COLUMN)),
    ("spec.recipe.dataset", "at most one of `inputColumn`", dataset(inputColumn="a", inputColumns=["b"])),
    ("spec.recipe.dataset", "at most one of `targetColumn`", dataset(targetColumn="a", targetColumns=["b"])),
    ("spec.recipe.dataset.inputColumns", "`inputColumns` must name a column", dataset(inputColumns=[])),
    ("spec.recipe.dataset.columns", "`columns` must name a column", dataset(columns=[])),
    ("spec.recipe.dataset.targetColumns", "`targetColumns` must name a column, or", dataset(targetColumns=[])),
    ("spec.recipe.dataset.inputColumns", "`inputColumns` must name each column once", dataset(inputColumns=_TWICE)),
    ("spec.recipe.dataset.targetColumns", "`targetColumns` must name each column once", dataset(targetColumns=_TWICE)),
    ("spec.recipe.dataset.columns", "`columns` must name each column once", dataset(columns=_TWICE)),
    ("spec.recipe", "at most one of `metric`", document(recipe=_MEASURED_TWICE)),
    ("spec.recipe.metric", "must not be `loss`", document(recipe=recipe(metric={"function": "a:loss"}))),
    ("spec.recipe.earlyStopping.metric", "needs `dataset.validation`", document(recipe=_STOPPED_BY_VALIDATION)),
    ("spec.code", "exactly one of `uri` and `configMapKeyRef`", document(code={"sha256": _DIGEST})),
    ("spec.code.uri", "must lie below the `mountPath`", document(code=_ON_A_CLAIM)),
    ("spec.code.uri", "must lie below the `mountPath`", document(code=_ON_A_CLAIM, storage=_CLAIM_BESIDE)),
    ("spec.storage", "`uri` or `persistentVolumeClaim` must be set", document(storage={})),
    ("spec.image", "`image` must be set", document(image=None)),
    ("spec.storage", "`storage` must be set", document(storage=None)),
    ("spec.storage", "exactly one of `uri`", document(storage={"uri": "s3://b", "persistentVolumeClaim": _CLAIM})),
    ("spec.failurePolicy.rules[0]", "one of `onClasses`", document(failurePolicy={"rules": [{"action": "Fail"}]})),
    ("spec.podTemplatePatches[0].spec.nodeSelector", "keys must be label keys", selector(**{"a b": "c"})),
    ("spec.storage.persistentVolumeClaim.mountPath", "must be a folder of its own", mounted("/usr/local")),
    ("spec.storage.persistentVolumeClaim.mountPath", "must be a folder of its own", mounted("/mnt/../dev/shm")),
    ("spec.volumes[0]", "exactly one of `persistentVolumeClaim`", volumes({"name": "a"})),
    ("spec.volumes[0]", "`csi`, `projected` must be set", volumes({**_SCRATCH, "secret": {"secretName": "s"}})),
    ("spec.volumes[0].name", "must be none of tmp, storage", volumes({**_SCRATCH, "name": "autoscaler-token"})),
    ("spec.volumes[0].projected.sources[0]", "`secret` and `configMap`", volumes(_PROJECTED_NOTHING)),
    ("spec.volumes[0].emptyDir.sizeLimit", "must be 0 or more", volumes(_LESS_THAN_NOTHING)),
    ("spec.volumes[0].csi.volumeAttributes", "keys of `volumeAttributes` must be", attribute("a b")),
    ("spec.volumeMounts[0].mountPath", "must be a folder of its own", mount(mountPath="/var/run/secrets/x")),
    ("spec.volumeMounts", "`volumeMounts` must name volumes", mount(name="other")),
    ("spec.trainer.volumeMounts", "`trainer.volumeMounts` must name volumes", document(trainer=_AT_SCRATCH)),
    ("spec.data.volumeMounts", "`data.volumeMounts` must name volumes", document(data=_AT_SCRATCH)),
    ("spec.volumes", "each of `volumes` must be mounted", document(volumes=[_SCRATCH])),
    ("spec.volumeMounts", "`volumeMounts` must have other paths than `st", volumes(_SCRATCH, storage=_AT_STORAGE)),
    ("spec.trainer.volumeMounts", "`trainer.volumeMounts` must have other paths than `st", at_storage("trainer")),
    ("spec.data.volumeMounts", "`data.volumeMounts` must have other paths than `st", at_storage("data")),
    ("spec.trainer.volumeMounts", "`trainer.volumeMounts` must have other paths than `vol", twice("trainer")),
    ("spec.data.volumeMounts", "`data.volumeMounts` must have other paths than `vol", twice("data")),
    ("spec.podMetadata[0].labels", "keys of `labels` must be", metadata(labels={"a b": "c"})),
    ("spec.podMetadata[0].annotations", "keys of `annotations` must be", metadata(annotations={"-a": "c"})),
    ("spec.podMetadata[0].labels", "`labels` must have no prefix", metadata(labels={"ray.io/cluster": "c"})),
    ("spec.podMetadata[0].annotations", "`annotations` must have no prefix", metadata(annotations={"k8s.io/a": "c"})),
    ("spec.topology", "exactly one of `preferred`", document(topology={})),
    ("spec.topology", "exactly one of `preferred`", document(topology={"preferred": "a", "required": "a"})),
    (f"{_TOLERATION}.operator", "must be Exists without", tolerating(operator="Equal")),
    (f"{_TOLERATION}.value", "may not be set where", tolerating(key="a", operator="Exists", value="b")),
    (f"{_TOLERATION}.effect", "must be NoExecute where", tolerating(key="a", tolerationSeconds=1)),
    ("spec.data.maxNodes", "`maxNodes` must be at least", document(data={"numNodes": 4, "maxNodes": 2})),
    ("spec.trainer.args", "`args` may only", document(trainer={"args": ["x"]})),
    ("spec.trainer.numProcPerNode", "`numProcPerNode` must divide", document(trainer=gpus(2, numProcPerNode=4))),
    ("spec.trainer.numProcPerNode", "`numProcPerNode` must divide", document(trainer=gpus(4, numProcPerNode=3))),
    ("spec.trainer.numProcPerNode", "must be the number of GPUs", document(trainer=gpus(4, numProcPerNode=1))),
    ("spec.trainer.resourcesPerNode", "GPUs of a pod must be at most 64", document(trainer=gpus(128))),
    ("spec.data.resourcesPerNode", "`data` must have no GPU", data(limits={"amd.com/gpu": 1})),
    ("spec.data.resourcesPerNode.limits", "must name no accelerator but", data(limits={"google.com/tpu": 1})),
    ("spec.data.resourcesPerNode.limits", "at most 1 of a part of a GPU", data(limits={"nvidia.com/gpu.shared": 2})),
    ("spec.head.resources.limits", "must have no GPU", head(limits={"nvidia.com/gpu": 1})),
    ("spec", "exactly one of `recipe`", document(recipe=None)),
    ("spec", "exactly one of `recipe`", document(recipe=None, trainer={"command": []})),
    ("spec", "exactly one of `recipe`", document(trainer={"command": ["python"]})),
    ("spec.recipe.globalBatchSize", "must be a multiple of", document(trainer={"numNodes": 3})),
    ("spec.recipe.globalBatchSize", "must be a multiple of", document(trainer=gpus("2", numNodes=3))),
    ("spec.recipe.globalBatchSize", "must be a multiple of", document(trainer={"numProcPerNode": 3})),
    ("spec.recipe.globalBatchSize", "must be a multiple of", document(recipe=recipe(gradientAccumulationSteps=3))),
    ("spec.recipe.mixedPrecision", "`FP16` needs a GPU", document(recipe=_FP16)),
    ("spec.recipe.mixedPrecision", "`FP16` needs a GPU", document(recipe=_FP16, trainer=gpus(0))),
    ("spec.storage.checkpoints.best.metric", "a metric `validation_...`", document(storage=_BEST_VALIDATION)),
    ("spec.recipe.initialCheckpoint", "exactly one of `run` and `uri`", begun_from()),
    ("spec.recipe.initialCheckpoint", "exactly one of `run` and `uri`", begun_from(run="a", uri="s3://b/a")),
    ("spec.recipe.initialCheckpoint.uri", "`pvc://` must name the claim", begun_from(uri="pvc://c/a")),
    ("spec.recipe.initialCheckpoint.uri", "`pvc://` must name the claim", begun_from(_ON_CLAIM, uri="pvc://cc/a")),
    ("spec.data.resourcesPerNode.limits", "keys must be resource names", data(limits={"a b": 1})),
    ("spec.data.resourcesPerNode.limits", "keys must be cpu, memory, ephemeral-storage,", data(limits={"pods": 1})),
    ("spec.data.resourcesPerNode.requests", "or a device such as", data(requests={"requests.a.b/c": 1})),
    ("spec.data.resourcesPerNode.limits", "amounts must be 0 or more", data(limits={"storage": "-1"})),
    ("spec.data.resourcesPerNode.limits", "devices must be whole", data(limits={"example.com/fpga": "2000m"})),
    ("spec.data.resourcesPerNode.limits", "`cpu` and `memory` must be more", data(limits={"cpu": "0"})),
    ("spec.data.resourcesPerNode.limits", "one kind of GPU", data(limits={"nvidia.com/gpu": 1, "amd.com/gpu": 1})),
    ("spec.data.resourcesPerNode.requests", "keys must be resource names", data(requests={"": 1})),
    ("spec.data.resourcesPerNode.requests", "amounts must be 0 or more", data(requests={"cpu": -1})),
    ("spec.data.resourcesPerNode.requests", "devices must be whole", data(requests={"example.com/fpga": "0.5"})),
    ("spec.data.resourcesPerNode.requests", "which default to 4 for `cpu` and 16Gi", data(requests={"cpu": "4001m"})),
    ("spec.data.resourcesPerNode.requests", "must be at most the limits", data(limits={"cpu": 1}, requests={"cpu": 2})),
    ("spec.data.resourcesPerNode.requests", "devices and huge pages must be", data(requests={"example.com/fpga": 1})),
    ("spec.data.resourcesPerNode.requests", "the same as in", data(limits={"a.b/c": 2}, requests={"a.b/c": 1})),
    ("spec.head.resources.requests", "which default to 2 for `cpu` and 8Gi", head(requests={"memory": "9Gi"})),
]  # fmt: skip
# Refused by the schema itself, in the API server's words.
BROKEN_LISTS = [
    ("spec.env[1]", "Duplicate value", document(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}])),
    ("spec.volumes[1]", "Duplicate value", volumes(_SCRATCH, _SCRATCH)),
    ("spec.volumeMounts[1]", "Duplicate value", volumes(_SCRATCH, **{"volumeMounts": _AT_SCRATCH["volumeMounts"] * 2})),
    ("spec.podMetadata[1]", "Duplicate value", document(podMetadata=[{"target": "Head"}] * 2)),
    (
        "spec.podTemplatePatches[1]",
        "Duplicate value",
        document(podTemplatePatches=[{"target": "Head", "spec": {}}] * 2),
    ),
]
_SAMPLES_VOLUMES = ("labels", "tracking", "classes", "scratch", "vault", "authorities")
# Another valid value for every field that may not change; None takes it away.
CHANGES: list[tuple[str, Any]] = [
    ("runtimeRef", {"name": "gpu"}),
    ("image", "trainer:2"),
    ("imagePullPolicy", "Always"),
    ("imagePullPolicy", None),
    ("imagePullSecrets", []),
    ("code", None),
    ("code", {"sha256": "1b" * 32}),
    ("env", None),
    ("env", [{"name": "LOG_LEVEL", "value": "debug"}]),
    ("recipe", {"epochs": 21}),
    ("recipe", {"scheduler": None}),
    ("recipe", {"optimizer": {"parameters": {"lr": 0.1, "weight_decay": 0.01}}}),
    ("recipe", {"optimizer": {"parameters": {"lr": 0.001, "eps": 0.01}}}),
    ("recipe", {"dataset": {"shuffle": False}}),
    ("trainer", {"numNodes": 4}),
    ("trainer", {"resourcesPerNode": {"limits": {"cpu": "16"}}}),
    ("data", {"maxNodes": 8}),
    ("data", {"maxNodes": None}),
    ("head", None),
    ("storage", {"checkpoints": {"numToKeep": 4}}),
    ("storage", {"secretRef": {"name": "other"}}),
    ("backoffLimit", 4),
    ("startDeadlineSeconds", 7200),
    ("activeDeadlineSeconds", None),
    ("progressDeadlineSeconds", 60),
    ("terminationGracePeriodSeconds", 120),
    ("failurePolicy", {"rules": []}),
    ("clusterTTLSecondsAfterFinished", {"onFailure": 0}),
    ("podTemplatePatches", []),
    ("serviceAccountName", "other"),
    ("volumes", [{"name": name, "emptyDir": {}} for name in _SAMPLES_VOLUMES]),
    ("volumeMounts", [{"name": "labels", "mountPath": "/mnt/other"}, {"name": "authorities", "mountPath": "/mnt/a"}]),
    ("podMetadata", []),
    ("tracking", {"tensorboard": False}),
    ("tracking", {"mlflow": {"uri": "https://other.example.com"}}),
    ("tracking", {"mlflow": {"secretRef": {"name": "other"}}}),
    ("tracking", {"wandb": {"mode": "Offline"}}),
    ("tracking", {"wandb": None}),
]
# The other way around, on a run without them.
ADDITIONS: list[tuple[str, Any]] = [
    ("imagePullPolicy", "Always"),
    ("imagePullSecrets", [{"name": "registry"}]),
    ("activeDeadlineSeconds", 60),
    ("code", {"uri": "s3://b/code.tar.gz", "sha256": _DIGEST}),
    ("head", {"resources": {"limits": {"cpu": 4}}}),
    ("podTemplatePatches", [{"target": "Head", "spec": {}}]),
    ("serviceAccountName", "training"),
    ("podMetadata", [{"target": "Head", "labels": {"team": "ml"}}]),
    ("topology", {"preferred": "topology.kubernetes.io/zone"}),
]
