"""From a run to the KubeRay objects of one attempt, as manifests ready to be sent.

Pure: the same run, attempt and settings give the same bytes. It must not read the cluster or the clock, and
raises nothing for a valid run.
"""

from trainingrun.render.manifests import ray_cluster, ray_job
from trainingrun.render.pod_environment import PROGRESS_AUDIENCE, RenderSettings

__all__ = ["PROGRESS_AUDIENCE", "RenderSettings", "ray_cluster", "ray_job"]
