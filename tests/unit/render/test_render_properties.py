"""What holds of every rendering, whatever a run's author has written."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from hostile_runs import hostile_documents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kuberay_schema import problems
from pod_security import violations
from rendered_runs import SETTINGS, WITH_ENDPOINT, cluster_spec, ray_container, run_object, templates, variables_of

from trainingrun.observed import RunObject
from trainingrun.render import ray_cluster, ray_job
from trainingrun.spec import parse
from trainingrun.spec.documents import read_text

every_run = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
some_settings = st.sampled_from([SETTINGS, WITH_ENDPOINT])
Manifest = dict[str, Any]
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


def pods_as_kuberay_makes_them(manifest: Manifest) -> list[dict[str, Any]]:
    """Specs of pods, with the autoscaler's container in the head of an elastic cluster."""
    cluster = cluster_spec(manifest)
    pods = {group: template["spec"] for group, template in templates(manifest).items()}
    if cluster.get("enableInTreeAutoscaling"):
        autoscaler = {"name": "autoscaler", "securityContext": cluster["autoscalerOptions"]["securityContext"]}
        pods["head"] = {**pods["head"], "containers": [*pods["head"]["containers"], autoscaler]}
    return list(pods.values())


@every_run
@given(hostile_documents(), st.integers(0, 1000), some_settings)
def test_what_holds_of_every_rendering(kuberay_crds: Path, document, attempt, settings):
    """All of it is tried on the same documents: to make them takes as long as to render them."""
    run = run_object(document)
    job = ray_job(run, attempt, settings)
    for manifest in (job, ray_cluster(run, attempt, settings)):
        kubernetes_takes_it(kuberay_crds, manifest)
    every_pod_satisfies_the_restricted_pod_security_profile(job)
    no_text_adds_a_field_anywhere(job, ray_job(run_object(harmless(document)), attempt, settings))
    the_same_run_renders_to_the_same_bytes(job, ray_job(run_object(document), attempt, settings))
    alone = ray_job(run, 0, SETTINGS)
    every_text_arrives_unchanged_where_it_belongs(document, alone)
    the_driver_reads_the_same_run_as_json_and_as_yaml_without_what_may_be_secret(run, alone)


def kubernetes_takes_it(crds: Path, manifest: Manifest) -> None:
    assert problems(crds, manifest) == []
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", manifest["metadata"]["name"])
    for labels in (part["metadata"]["labels"] for part in (manifest, *templates(manifest).values())):
        assert all(LABEL_VALUE.fullmatch(value) for value in labels.values()), labels


def every_pod_satisfies_the_restricted_pod_security_profile(manifest: Manifest) -> None:
    for pod in pods_as_kuberay_makes_them(manifest):
        assert list(violations(pod)) == []
        assert pod["automountServiceAccountToken"] is False
        containers = [*pod.get("initContainers", []), *pod["containers"]]
        assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in containers)


def no_text_adds_a_field_anywhere(manifest: Manifest, of_harmless_texts: Manifest) -> None:
    """The shape of a rendering depends on which fields a run has, never on what is written in them."""
    assert shape(manifest) == shape(of_harmless_texts)


def the_same_run_renders_to_the_same_bytes(manifest: Manifest, again: Manifest) -> None:
    assert json.dumps(manifest) == json.dumps(again)


def every_text_arrives_unchanged_where_it_belongs(document: Manifest, manifest: Manifest) -> None:
    spec, pods = document["spec"], templates(manifest)
    env = {variable["name"]: variable["value"] for variable in spec["env"]}
    groups = {"data": spec["data"], "trainer": spec["trainer"], "head": {"env": []}}
    for group, part in groups.items():
        wanted = env | {variable["name"]: variable["value"] for variable in part["env"]}
        assert wanted.items() <= variables_of(pods[group]).items()
    if "command" in spec["trainer"]:
        command = [*spec["trainer"]["command"], *spec["trainer"]["args"]]
        words = shlex.split(manifest["spec"]["entrypoint"])
        assert words[-len(command) :] == command
        assert "code" in spec or words == command
    for pod in pods.values():
        if "uri" in spec.get("code", {}):
            # As the kubelet reads it.
            assert pod["spec"]["initContainers"][0]["command"][3].replace("$$", "$") == spec["code"]["uri"]
        mounts = {mount["name"]: mount["mountPath"] for mount in ray_container(pod)["volumeMounts"]}
        claim = spec["storage"].get("persistentVolumeClaim")
        assert mounts.get("storage") == (claim["mountPath"] if claim else None)
        assert mounts["x"] == spec["volumeMounts"][0]["mountPath"]
        assert pod["spec"]["volumes"][-1] == spec["volumes"][0]
    assert spec["podMetadata"][0]["annotations"].items() <= pods["trainer"]["metadata"]["annotations"].items()
    for patch in spec["podTemplatePatches"]:
        pod_spec = pods[patch["target"].lower()]["spec"]
        assert {name: pod_spec[name] for name in patch["spec"]} == patch["spec"]


def the_driver_reads_the_same_run_as_json_and_as_yaml_without_what_may_be_secret(
    run: RunObject, manifest: Manifest
) -> None:
    text = templates(manifest)["head"]["metadata"]["annotations"]["trainingrun.dev/run"]
    reading = read_text("run.json", text.encode())
    assert reading.problems == ()
    assert reading.runs[0].run == parse(json.loads(text))
    seen = reading.runs[0].run
    assert seen.metadata.uid == run.uid
    assert seen.spec.recipe == run.run.spec.recipe
    assert seen.spec.storage == run.run.spec.storage
    assert (seen.spec.env, seen.spec.trainer.env, seen.spec.data.env, seen.metadata.annotations) == ((), (), (), {})
    assert seen.spec.trainer.model_copy(update={"env": run.run.spec.trainer.env}) == run.run.spec.trainer


def shape(value: Any) -> Any:
    """The value with every text replaced by its type."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)


def harmless(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every text that a person chose freely replaced by letters."""
    spec = json.loads(json.dumps(document["spec"]))
    for part in (spec, spec["trainer"], spec["data"]):
        for variable in part["env"]:
            variable["value"] = "plain"
    for words in ("command", "args"):
        if words in spec["trainer"]:
            spec["trainer"][words] = ["plain"] * len(spec["trainer"][words])
    if "persistentVolumeClaim" in spec["storage"]:
        spec["storage"]["persistentVolumeClaim"]["mountPath"] = "/mnt/plain"
    spec["podMetadata"][0]["annotations"] = {"example.com/note": "plain"}
    spec["volumes"][0]["csi"]["volumeAttributes"] = {"x": "plain"}
    spec["volumeMounts"][0]["mountPath"] = "/mnt/plain/x"
    if "uri" in spec.get("code", {}):
        spec["code"]["uri"] = "s3://plain"
    return {**document, "spec": spec, "metadata": {**document["metadata"], "annotations": {}}}
