"""The objects as they are sent: templates filled in, then the author's scheduling fields put into the pods.

The author's fields are merged as data, never as text, and are those that `trainingrun.spec.patches` allows.
"""

from __future__ import annotations

from typing import Any

from trainingrun.contract.labels import API_VERSION, ELASTIC_KEY, KIND, KUEUE_KEYS, QUEUE_KEY, RAY_API_VERSION
from trainingrun.naming import object_labels, ray_job_name
from trainingrun.observed import RunObject
from trainingrun.render.cluster import cluster_of
from trainingrun.render.code import entrypoint
from trainingrun.render.pod_environment import RenderSettings
from trainingrun.render.pods import RenderedAttempt
from trainingrun.render.template_engine import rendered
from trainingrun.spec.patches import PodTemplatePatch

Manifest = dict[str, Any]


def ray_job(run: RunObject, attempt: int, settings: RenderSettings, initial_checkpoint: str | None = None) -> Manifest:
    """The RayJob of an attempt at a run whose spec is valid; attempts count from 0.

    `initial_checkpoint` is the URI of what the run starts from while it has no checkpoint of its own.
    """
    rendering = _attempt(run, attempt, settings, initial_checkpoint)
    spec = rendering.run.spec
    manifest = rendered(
        "rayjob.yaml.j2",
        {
            **_common_values(rendering),
            "entrypoint": entrypoint(spec.trainer, spec.code),
            "cluster_ttl_seconds": _cluster_ttl_seconds(rendering),
            "start_deadline_seconds": spec.start_deadline_seconds,
        },
    )
    _patch_pods(manifest["spec"]["rayClusterSpec"], spec.pod_template_patches)
    return manifest


def ray_cluster(run: RunObject, attempt: int, settings: RenderSettings) -> Manifest:
    """The same cluster as `ray_job` asks for, by itself and without a job."""
    rendering = _attempt(run, attempt, settings)
    manifest = rendered("raycluster.yaml.j2", _common_values(rendering))
    _patch_pods(manifest["spec"], rendering.run.spec.pod_template_patches)
    return manifest


def _attempt(
    run: RunObject, number: int, settings: RenderSettings, initial_checkpoint: str | None = None
) -> RenderedAttempt:
    if run.run is None:
        raise ValueError(f"{run.namespace}/{run.name} has an invalid spec that cannot be rendered")
    return RenderedAttempt(
        owner=run, run=run.run, number=number, settings=settings, initial_checkpoint=initial_checkpoint
    )


def _common_values(attempt: RenderedAttempt) -> dict[str, Any]:
    run = attempt.owner
    queue = {key: run.labels[key] for key in KUEUE_KEYS if key in run.labels}
    cluster = cluster_of(attempt)
    return {
        "api_version": RAY_API_VERSION,
        "metadata": {
            "name": ray_job_name(run.name, run.uid, attempt.number),
            "namespace": run.namespace,
            "labels": {**queue, **object_labels(run, attempt.number)},
            "annotations": {ELASTIC_KEY: "true"} if cluster.is_elastic and QUEUE_KEY in queue else {},
            "owner": {"api_version": API_VERSION, "kind": KIND, "name": run.name, "uid": run.uid},
        },
        "cluster": cluster,
    }


def _cluster_ttl_seconds(attempt: RenderedAttempt) -> int:
    """Longest that the cluster may stay; the operator deletes it earlier. In a queue others wait for its quota."""
    if QUEUE_KEY in attempt.owner.labels:
        return 0
    ttl = attempt.run.spec.cluster_ttl_seconds_after_finished
    return max(ttl.on_success, ttl.on_failure)


def _patch_pods(cluster_spec: Manifest, patches: tuple[PodTemplatePatch, ...]) -> None:
    """Set the fields of the author's patches, none of which the templates set."""
    templates = {"head": cluster_spec["headGroupSpec"]["template"]} | {
        group["groupName"]: group["template"] for group in cluster_spec["workerGroupSpecs"]
    }
    for patch in patches:
        fields = patch.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        templates[patch.target.lower()]["spec"].update(fields)
