"""What the pods of a run have in common, and what differs from group to group.

It must not decide how they are written: the templates do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trainingrun.contract import pods as contract_pods
from trainingrun.contract.labels import RAY_DATA_VALUE, RAY_GROUP_KEY, RAY_HEAD_VALUE, RAY_TRAINER_VALUE
from trainingrun.naming import object_labels
from trainingrun.observed import RunObject
from trainingrun.render import pod_environment
from trainingrun.render.authors import authors_parts
from trainingrun.render.code import CodeParts, code_parts, share_of
from trainingrun.render.pod_environment import RenderSettings, configuration
from trainingrun.spec import Run
from trainingrun.spec.environment import EnvironmentVariable
from trainingrun.spec.groups import Resources

# Cluster autoscalers do not remove nodes with such a pod, whose loss would interrupt training.
_PINNED = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}


@dataclass(frozen=True)
class RenderedAttempt:
    """What is rendered: an attempt, counted from 0, at the run of an object whose spec is valid."""

    owner: RunObject
    run: Run
    number: int
    settings: RenderSettings
    initial_checkpoint: str | None = None


@dataclass(frozen=True)
class CommonParts:
    """What every pod of the run has."""

    image: str
    pull_policy: str | None
    pull_secrets: list[dict[str, str]]
    env_from: list[dict[str, Any]]
    service_account: str | None
    fixed_ids: bool
    grace_seconds: int
    claim_name: str | None
    mount_path: str | None
    progress_audience: str
    has_progress_ca: bool
    prestarts: bool
    code: CodeParts | None

    @property
    def has_code(self) -> bool:
        """Whether the run brings code of its own."""
        return self.code is not None

    @property
    def has_pull_policy(self) -> bool:
        """Whether the author chose one; Kubernetes' own rule depends on the image's tag."""
        return self.pull_policy is not None

    @property
    def has_claim(self) -> bool:
        """Whether the run's storage is a volume."""
        return self.claim_name is not None

    @property
    def ids_are_chosen(self) -> bool:
        """Whether the cluster gives pods their user."""
        return not self.fixed_ids

    @property
    def has_service_account(self) -> bool:
        """Whether the author named one; without it pods have the namespace's own."""
        return self.service_account is not None


@dataclass(frozen=True)
class PodTemplate:
    """What the pods of one group have in addition. `unpacking` is what the container for code may use."""

    container: str
    labels: dict[str, str]
    annotations: dict[str, str]
    env: list[dict[str, Any]]
    volumes: list[dict[str, Any]]
    mounts: list[dict[str, Any]]
    affinity: dict[str, Any] | None
    limits: dict[str, str]
    requests: dict[str, str]
    unpacking: dict[str, dict[str, str]]
    is_head: bool
    has_autoscaler: bool
    reports_progress: bool


def common_parts(attempt: RenderedAttempt) -> CommonParts:
    """What every pod of the run has."""
    spec, settings = attempt.run.spec, attempt.settings
    storage = spec.storage
    claim = storage.persistent_volume_claim
    return CommonParts(
        image=spec.image,
        pull_policy=spec.image_pull_policy,
        # Each once: the API server refuses a list of them that repeats one.
        pull_secrets=[{"name": name} for name in dict.fromkeys(secret.name for secret in spec.image_pull_secrets)],
        env_from=[{"secretRef": {"name": storage.secret_ref.name}}] if storage.secret_ref else [],
        service_account=spec.service_account_name,
        fixed_ids=settings.fixed_ids,
        grace_seconds=spec.termination_grace_period_seconds,
        claim_name=claim.claim_name if claim else None,
        mount_path=claim.mount_path if claim else None,
        progress_audience=settings.progress_audience,
        has_progress_ca=settings.progress_ca is not None,
        prestarts=not spec.trainer.command,
        code=code_parts(spec.code) if spec.code else None,
    )


def head_pod(attempt: RenderedAttempt, *, has_autoscaler: bool) -> PodTemplate:
    """The pod where the driver runs: it alone gets the run's configuration."""
    return _pod(
        attempt,
        RAY_HEAD_VALUE,
        attempt.run.spec.head.resources,
        annotations={
            **_PINNED,
            **_progress_ca(attempt),
            contract_pods.CONFIGURATION_ANNOTATION: configuration(attempt.run),
        },
        ours={
            **pod_environment.driver_variables(attempt.number, _drain_seconds(attempt), attempt.initial_checkpoint),
            **_progress_variables(attempt),
        },
        credentials=pod_environment.tracking_credentials(attempt.run),
        has_autoscaler=has_autoscaler,
    )


def data_pod(attempt: RenderedAttempt, processes: int) -> PodTemplate:
    """A pod that preprocesses, in so many processes. Nothing is lost with it: another pod runs its tasks again."""
    data = attempt.run.spec.data
    return _pod(
        attempt,
        RAY_DATA_VALUE,
        data.resources_per_node,
        ours=pod_environment.prestart_variables(attempt.run, "data", processes),
        authors=data.env,
    )


def trainer_pod(attempt: RenderedAttempt) -> PodTemplate:
    """A pod that trains. It may report progress too, as callbacks of training libraries do from the first rank."""
    trainer = attempt.run.spec.trainer
    return _pod(
        attempt,
        RAY_TRAINER_VALUE,
        trainer.resources_per_node,
        annotations={**_PINNED, **_progress_ca(attempt)},
        ours={
            **pod_environment.prestart_variables(attempt.run, "trainer", trainer.processes_per_node),
            **pod_environment.thread_variables(attempt.run),
            **_progress_variables(attempt),
        },
        authors=trainer.env,
    )


def _pod(
    attempt: RenderedAttempt,
    group: str,
    resources: Resources,
    *,
    annotations: dict[str, str] | None = None,
    ours: dict[str, str] | None = None,
    authors: tuple[EnvironmentVariable, ...] = (),
    credentials: Iterable[dict[str, Any]] = (),
    has_autoscaler: bool = False,
) -> PodTemplate:
    is_head = group == RAY_HEAD_VALUE
    limits = {name: str(amount) for name, amount in resources.limits.items()}
    given = authors_parts(attempt.owner, attempt.run.spec, group)
    # What the author does not reserve is reserved whole: memory that is only a limit gets pods killed.
    requests = {**limits, **{name: str(amount) for name, amount in resources.requests.items()}}
    return PodTemplate(
        container=contract_pods.HEAD_CONTAINER if is_head else contract_pods.WORKER_CONTAINER,
        labels={**given.labels, **object_labels(attempt.owner, attempt.number), RAY_GROUP_KEY: group},
        annotations={**given.annotations, **(annotations or {})},
        env=pod_environment.merged(
            {
                **pod_environment.common_variables(_drain_seconds(attempt)),
                **pod_environment.user_variables(attempt.settings.fixed_ids),
                **(ours or {}),
            },
            attempt.run.spec.env,
            authors,
            credentials=credentials,
        ),
        volumes=given.volumes,
        mounts=given.mounts,
        affinity=given.affinity,
        limits=limits,
        requests=requests,
        unpacking={"limits": share_of(limits), "requests": share_of(requests)},
        is_head=is_head,
        has_autoscaler=has_autoscaler,
        reports_progress=attempt.settings.progress_url is not None and group != RAY_DATA_VALUE,
    )


def _drain_seconds(attempt: RenderedAttempt) -> int:
    return attempt.run.spec.termination_grace_period_seconds - contract_pods.STOP_SECONDS


def _progress_variables(attempt: RenderedAttempt) -> dict[str, str]:
    return pod_environment.progress_variables(attempt.owner, attempt.settings)


def _progress_ca(attempt: RenderedAttempt) -> dict[str, str]:
    """The endpoint's certificates travel with the pod, since the operator makes nothing else in the run's namespace."""
    certificates = attempt.settings.progress_ca
    if attempt.settings.progress_url is None or certificates is None:
        return {}
    return {contract_pods.PROGRESS_CA_ANNOTATION: certificates}
