"""The same training without this project's operator: a RayJob as a person who knows KubeRay writes it.

KubeRay's defaults decide whatever the person says nothing about, above all how the job is submitted. It runs the same
image, the same command and the same file as the operator's RayJob does, on pods of the same sizes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from trainingrun.observed import run_object_of
from trainingrun.render import RenderSettings, ray_job

Object = dict[str, Any]

_FILE = Path(__file__).with_name("rayjob.yaml")
# Where the command of that file looks for the training's own file: in the volume.
CONFIGURATION = "mnist.yaml"
# Of other images, whose `ray` is Ray's own alone.
_PATH = "/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def written_text() -> str:
    """The file as it was written."""
    return _FILE.read_text()


def ray_job_by_hand(run: Object) -> Object:
    """The file with the sizes, the number and the nodes of the pods that the operator would make of this run."""
    job: Object = yaml.safe_load(written_text())
    job["metadata"] = {key: run["metadata"][key] for key in ("name", "namespace")}
    wanted = dict(_groups(rendered(run)))
    for name, group in _groups(job):
        for key in ("replicas", "minReplicas", "maxReplicas"):
            if key in group:
                group[key] = wanted[name][key]
        theirs, ours = group["template"]["spec"], wanted[name]["template"]["spec"]
        theirs["containers"][0]["resources"] = ours["containers"][0]["resources"]
        if "nodeSelector" in ours:
            theirs["nodeSelector"] = ours["nodeSelector"]
        theirs["containers"][0]["env"] = [{"name": "PATH", "value": _PATH}]
    return job


def machines(job: Object) -> Object:
    """What a RayJob asks for by group: how many pods, of which image and size, with which volume at which place."""
    found = {}
    for name, group in _groups(job):
        spec = group["template"]["spec"]
        container = spec["containers"][0]
        amounts = {
            kind: {key: str(value) for key, value in values.items()} for kind, values in container["resources"].items()
        }
        claims = {
            volume["name"]: volume["persistentVolumeClaim"]["claimName"]
            for volume in spec["volumes"]
            if "persistentVolumeClaim" in volume
        }
        mounts = {
            claims[mount["name"]]: mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] in claims
        }
        found[name] = {"pods": group.get("replicas", 1), "image": container["image"], **amounts, "claims": mounts}
    return found


def rendered(run: Object) -> Object:
    """The RayJob that the operator makes of a run's first attempt."""
    body = copy.deepcopy(run)
    body["metadata"] = {"namespace": "default", "uid": "0", **body["metadata"]}
    return ray_job(run_object_of(body), 0, RenderSettings())


def _groups(job: Object) -> Iterator[tuple[str, Object]]:
    cluster = job["spec"]["rayClusterSpec"]
    yield "head", cluster["headGroupSpec"]
    for group in cluster["workerGroupSpecs"]:
        yield group["groupName"], group
