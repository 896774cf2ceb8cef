"""What an author gives to pods: volumes, an identity, labels and annotations, and how near to each other they are."""

from __future__ import annotations

from typing import Any

import pytest
from pod_security import violations
from rendered_runs import SETTINGS, UID, WITH_ENDPOINT, cluster_spec, ray_container, run_object, templates, variables_of

from trainingrun.render import RenderSettings, ray_job

CLAIM = {"name": "datasets", "persistentVolumeClaim": {"claimName": "datasets", "readOnly": True}}
KEYS = {"name": "keys", "secret": {"secretName": "keys", "items": [{"key": "a", "path": "b", "mode": 0o440}]}}
SCRATCH = {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}
VOLUMES = {
    "volumes": [CLAIM, KEYS, SCRATCH],
    "volumeMounts": [{"name": "datasets", "mountPath": "/datasets"}],
    "trainer": {"volumeMounts": [{"name": "keys", "mountPath": "/keys", "readOnly": True, "subPath": "b"}]},
    "data": {"maxNodes": 2, "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]},
}
QUEUED = {"kueue.x-k8s.io/queue-name": "team"}


def pods(labels: dict[str, str] | None = None, settings: RenderSettings = SETTINGS, **spec: Any) -> dict[str, Any]:
    return templates(ray_job(run_object(labels=labels, **spec), 0, settings))


def test_volumes_are_in_the_pods_that_mount_them_and_as_they_were_written() -> None:
    rendered = pods(**VOLUMES)
    given = {CLAIM["name"]: CLAIM, KEYS["name"]: KEYS, SCRATCH["name"]: SCRATCH}
    expected = {"head": ["datasets"], "data": ["datasets", "scratch"], "trainer": ["datasets", "keys"]}
    for group, names in expected.items():
        volumes = [volume for volume in rendered[group]["spec"]["volumes"] if volume["name"] in given]
        assert volumes == [given[name] for name in names]
        mounts = ray_container(rendered[group])["volumeMounts"]
        assert [mount["name"] for mount in mounts if mount["name"] in given] == names
        assert list(violations(rendered[group]["spec"])) == []
    assert VOLUMES["trainer"]["volumeMounts"][0] in ray_container(rendered["trainer"])["volumeMounts"]


def test_data_on_one_claim_and_checkpoints_on_another() -> None:
    storage = {"persistentVolumeClaim": {"claimName": "checkpoints", "mountPath": "/ckpt"}}
    recipe = {"dataset": {"train": {"format": "Parquet", "path": "/datasets/train"}}}
    for template in pods(**VOLUMES, storage=storage, recipe=recipe).values():
        claims = [volume.get("persistentVolumeClaim") for volume in template["spec"]["volumes"]]
        assert [claim for claim in claims if claim] == [{"claimName": "checkpoints"}, CLAIM["persistentVolumeClaim"]]


def test_an_account_of_ones_own_is_every_pods_and_no_container_of_training_gets_its_api_token() -> None:
    run = run_object(serviceAccountName="vision", data={"maxNodes": 2})
    manifest = ray_job(run, 0, WITH_ENDPOINT)
    for group, template in templates(manifest).items():
        assert template["spec"]["serviceAccountName"] == "vision"
        assert template["spec"]["automountServiceAccountToken"] is False
        sources = [
            source["serviceAccountToken"]
            for volume in template["spec"]["volumes"]
            if volume["name"] in {mount["name"] for mount in ray_container(template)["volumeMounts"]}
            for source in volume.get("projected", {}).get("sources", ())
            if "serviceAccountToken" in source
        ]
        assert [token.get("audience") for token in sources] == ([] if group == "data" else ["trainingrun.dev"])
    mounts = cluster_spec(manifest)["autoscalerOptions"]["volumeMounts"]
    assert "autoscaler-token" in [mount["name"] for mount in mounts]
    assert all("serviceAccountName" not in template["spec"] for template in pods().values())


def test_labels_and_annotations_reach_their_group_and_replace_nothing() -> None:
    given = {"labels": {"team": "vision"}, "annotations": {"example.com/cost-center": "4711"}}
    rendered, without = pods(podMetadata=[{"target": "Trainer", **given}]), pods()
    assert (rendered["head"], rendered["data"]) == (without["head"], without["data"])
    for field, values in given.items():
        assert rendered["trainer"]["metadata"][field] == {**without["trainer"]["metadata"][field], **values}


@pytest.mark.parametrize("kind", ["preferred", "required"])
def test_trainers_without_a_queue_are_placed_by_an_affinity_to_each_other(kind: str) -> None:
    rendered = pods(topology={kind: "example.com/rack"})
    selector = {"matchLabels": {"trainingrun.dev/run-uid": UID, "trainingrun.dev/group": "trainer"}}
    term = {"labelSelector": selector, "topologyKey": "example.com/rack"}
    rule = f"{kind}DuringSchedulingIgnoredDuringExecution"
    terms = [term] if kind == "required" else [{"weight": 100, "podAffinityTerm": term}]
    assert rendered["trainer"]["spec"]["affinity"] == {"podAffinity": {rule: terms}}
    assert selector["matchLabels"].items() <= rendered["trainer"]["metadata"]["labels"].items()
    assert all("affinity" not in rendered[group]["spec"] for group in ("head", "data"))


@pytest.mark.parametrize("kind", ["preferred", "required"])
def test_trainers_in_a_queue_are_placed_by_kueue(kind: str) -> None:
    rendered = pods(QUEUED, topology={kind: "example.com/rack"})
    key = f"kueue.x-k8s.io/podset-{kind}-topology"
    found = {group: template["metadata"]["annotations"].get(key) for group, template in rendered.items()}
    assert found == {"head": None, "data": None, "trainer": "example.com/rack"}
    assert "affinity" not in rendered["trainer"]["spec"]


def test_a_cluster_that_chooses_ids_is_asked_for_none() -> None:
    manifest = ray_job(run_object(data={"maxNodes": 2}), 0, RenderSettings(fixed_ids=False))
    for template in templates(manifest).values():
        security = template["spec"]["securityContext"]
        assert {"runAsUser", "runAsGroup", "fsGroup"} & security.keys() == set()
        assert list(violations(template["spec"])) == []
        assert variables_of(template)["LOGNAME"] == "trainer"
    autoscaler = cluster_spec(manifest)["autoscalerOptions"]
    assert "runAsUser" not in autoscaler["securityContext"]
    assert {"name": "LOGNAME", "value": "autoscaler"} in autoscaler["env"]


def test_what_pods_are_made_of_is_no_business_of_the_drivers() -> None:
    spec = {"serviceAccountName": "vision", "podMetadata": [{"target": "Head"}], "topology": {"preferred": "zone"}}
    text = pods(**VOLUMES, **spec)["head"]["metadata"]["annotations"]["trainingrun.dev/run"]
    assert not [word for word in ("olume", "vision", "podMetadata", "topology") if word in text]
