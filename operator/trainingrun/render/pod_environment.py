"""The environment variables of pods: the operator's, then the author's.

Of the author's, a group's win over the run's. None can replace the operator's, or those by which the nodes of a
cluster find and trust each other: what has such a name is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trainingrun.contract import pods as contract_pods
from trainingrun.contract import variables
from trainingrun.contract.progress_protocol import CA_VARIABLE, ROUTE, TOKEN_VARIABLE, URL_VARIABLE
from trainingrun.observed import RunObject
from trainingrun.render.template_engine import json_text
from trainingrun.spec import Run
from trainingrun.spec.environment import EnvironmentVariable

# KubeRay sets these if they are missing; an author's own values would open up the cluster or break it.
CLUSTER_VARIABLES = frozenset({"RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_PORT"})


def common_variables(drain_seconds: int) -> dict[str, str]:
    """The operator's variables of every pod. The file system is read-only but for /tmp."""
    return {
        "HOME": "/tmp",  # noqa: S108 - the pod's own
        # On exit Ray waits 30 s for replicas of Serve. Here, the preStop hook has already done all the waiting.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        # No usage reports to Ray's makers, as locally; collecting them would also take a process of its own.
        "RAY_USAGE_STATS_ENABLED": "0",
        # Seconds without a connection to the head, by default 60, until a node ends and its container is started anew.
        # The head that comes instead has another address, which a node that goes on would look up half a minute later.
        "RAY_gcs_rpc_server_reconnect_timeout_s": "15",
        variables.DRAIN_SECONDS: str(drain_seconds),
    }


def user_variables(fixed_ids: bool) -> dict[str, str]:
    """A name for the user, which torch looks up: the image has none for one that the cluster chose."""
    return {} if fixed_ids else {"LOGNAME": "trainer"}


def driver_variables(attempt: int, drain_seconds: int, initial_checkpoint: str | None = None) -> dict[str, str]:
    """What the driver of an attempt and its head read; a driver has `drain_seconds` to stop."""
    initial = {variables.INITIAL_CHECKPOINT: initial_checkpoint} if initial_checkpoint is not None else {}
    return {
        "RAY_JOB_STOP_WAIT_TIME_S": str(drain_seconds),
        # A node that refuses five checks in a row is lost; one that only responds late has as long as before.
        "RAY_health_check_period_ms": "1000",
        # The head has no CPU for Ray, for which it would start its actors, the hub and Ray Train's, one by one.
        "RAY_worker_maximum_startup_concurrency": "8",
        variables.CONFIG: f"{contract_pods.CONFIGURATION_DIRECTORY}/{contract_pods.CONFIGURATION_FILE}",
        variables.ATTEMPT: str(attempt),
        variables.JSON: "1",
        variables.NODES_HAVE_PATH: "1",
        **initial,
    }


def prestart_variables(run: Run, group: str, processes: int) -> dict[str, str]:
    """What pods of a worker group need to start so many processes early; none where the program is the author's own."""
    if run.spec.trainer.command:
        return {}
    return {
        variables.PRESTART: str(processes),
        variables.RAY_PRELOAD: ",".join(contract_pods.PRELOADED_MODULES[group]),
        # Ray's own early processes, one for each CPU as soon as there is a driver, would come too late.
        "RAY_prestart_worker_first_driver": "0",
    }


def thread_variables(run: Run) -> dict[str, str]:
    """As many threads for each training process as Ray would set, were torch not loaded by then."""
    trainer = run.spec.trainer
    if trainer.command or any(given.name == variables.THREADS for given in (*run.spec.env, *trainer.env)):
        return {}
    cores = trainer.resources_per_node.limits["cpu"].value
    return {variables.THREADS: str(max(1, math.floor(cores / trainer.processes_per_node)))}


def progress_variables(run: RunObject, settings: RenderSettings) -> dict[str, str]:
    """Kubeflow Trainer's variables of the progress protocol; none without an endpoint."""
    if settings.progress_url is None:
        return {}
    path = ROUTE.format(namespace=run.namespace, name=run.name)
    found = {
        URL_VARIABLE: settings.progress_url.rstrip("/") + path,
        TOKEN_VARIABLE: f"{contract_pods.PROGRESS_DIRECTORY}/token",
    }
    if settings.progress_ca is not None:
        found[CA_VARIABLE] = f"{contract_pods.PROGRESS_DIRECTORY}/ca.crt"
    return found


def tracking_credentials(run: Run) -> list[dict[str, Any]]:
    """A driver's variables with what its trackers want. A Secret need not have them all: no run waits for a tracker."""
    tracking = run.spec.tracking
    wanted = ((tracking.mlflow, variables.MLFLOW_CREDENTIALS), (tracking.wandb, variables.WANDB_CREDENTIALS))
    return [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": tracker.secret_ref.name, "key": key, "optional": True}}}
        for tracker, keys in wanted
        if tracker is not None and tracker.secret_ref is not None
        for key in keys
    ]


def merged(
    ours: dict[str, str], *authors: tuple[EnvironmentVariable, ...], credentials: Iterable[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    """A container's `env`. Ours come first, so that the author's may refer to them as $(NAME); credentials come last
    and replace the author's of the same name."""
    last = {entry["name"]: entry for entry in credentials}
    given = {variable.name: variable for variables in authors for variable in variables}
    return [
        *({"name": name, "value": value} for name, value in ours.items()),
        *(
            variable.model_dump(mode="json", by_alias=True, exclude_none=True)
            for name, variable in given.items()
            if name not in ours and name not in CLUSTER_VARIABLES and name not in last
        ),
        *last.values(),
    ]


PROGRESS_AUDIENCE = "trainingrun.dev"


@dataclass(frozen=True)
class RenderSettings:
    """Where pods report their progress to, if they do.

    `progress_url` is the endpoint's base (`https://trainingrun-progress.trainingrun-system.svc`), `progress_audience`
    the audience of the token that pods send, `progress_ca` the PEM certificates that the endpoint's own is checked
    against; None leaves that to the certificates in the training image. Without `fixed_ids` pods ask for no user and
    group, which the cluster then chooses, as OpenShift does.
    """

    progress_url: str | None = None
    progress_audience: str = PROGRESS_AUDIENCE
    progress_ca: str | None = None
    fixed_ids: bool = True


_METADATA = ("name", "namespace", "uid")


# What only pods are made of; the first two also of a group's.
_OF_GROUPS = ("env", "volumeMounts")
_NOT_THE_DRIVERS = (
    *_OF_GROUPS,
    "volumes",
    "imagePullSecrets",
    "serviceAccountName",
    "topology",
    "podMetadata",
    "podTemplatePatches",
    "terminationGracePeriodSeconds",
)


def configuration(run: Run) -> str:
    """A TrainingRun document in JSON; `trainingrun.spec.parse` accepts it."""
    document = run.to_document()
    document["metadata"] = {key: value for key, value in document["metadata"].items() if key in _METADATA}
    spec = {key: value for key, value in document["spec"].items() if key not in _NOT_THE_DRIVERS}
    for group in ("trainer", "data"):
        if group in spec:
            spec[group] = {key: value for key, value in spec[group].items() if key not in _OF_GROUPS}
    return json_text({**document, "spec": spec})
