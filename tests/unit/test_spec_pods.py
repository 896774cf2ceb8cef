"""What the API server would refuse in a pod, or a pod could not live with, is refused in the spec."""

from __future__ import annotations

from typing import Any

import pytest
from test_spec import document, problems_of

from trainingrun.errors import InvalidSpec
from trainingrun.spec import parse

TOLERATION = "spec.podTemplatePatches[0].spec.tolerations[0]"
LIMITS = "spec.data.resourcesPerNode.limits"


def claim(path: str) -> dict[str, Any]:
    return document(storage={"persistentVolumeClaim": {"claimName": "c", "mountPath": path}})


def tolerating(**toleration: object) -> dict[str, Any]:
    return document(podTemplatePatches=[{"target": "Head", "spec": {"tolerations": [toleration]}}])


def limited(limits: dict[str, object], **fields: object) -> dict[str, Any]:
    return document(data={"resourcesPerNode": {"limits": limits, **fields}})


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/tmp", "/tmp/", "/tmp/ray", "/tmp/ray/x", "/dev", "/dev/shm", "/proc/1", "/sys", "/etc", "/bin"),
        *(
            "/etc/trainingrun",
            "/etc/trainingrun/x",
            "/opt/trainingrun/code",
            "/usr",
            "/usr/local/lib",
            "/var/run/secrets/x",
        ),
        *("/mnt/../tmp", "/mnt/.", "//tmp", "/mnt//x"),
    ],
)
def test_a_volume_may_not_hide_what_a_pod_needs(path: str) -> None:
    assert problems_of(claim(path)) == {"spec.storage.persistentVolumeClaim.mountPath": path}


@pytest.mark.parametrize(
    "path", ["/mnt", "/mnt/data/", "/data", "/tmp/data", "/usr/share/data", "/home/ray/x", "/tmpx", "/mnt/..x", "/.d"]
)
def test_any_other_folder_will_do(path: str) -> None:
    parse(claim(path))


@pytest.mark.parametrize(
    ("toleration", "field", "found"),
    [
        ({"value": "x", "operator": "Equal"}, "operator", "Equal"),
        ({}, "operator", "nothing"),
        ({"key": "gpu", "operator": "Exists", "value": "yes"}, "value", "yes"),
        ({"key": "gpu", "tolerationSeconds": 3}, "effect", "nothing"),
        ({"key": "gpu", "effect": "NoSchedule", "tolerationSeconds": 3}, "effect", "NoSchedule"),
        ({"key": "a b"}, "key", '"a b"'),
    ],
)
def test_a_toleration_has_to_be_one(toleration: dict[str, object], field: str, found: str) -> None:
    assert problems_of(tolerating(**toleration)) == {f"{TOLERATION}.{field}": found}


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "nvidia.com/gpu", "operator": "Exists", "value": ""},
        {"key": "gpu", "value": "yes"},
        {"key": "gpu", "effect": "NoExecute", "tolerationSeconds": 3},
    ],
)
def test_a_toleration_that_is_one_is_taken(toleration: dict[str, object]) -> None:
    parse(tolerating(**toleration))


@pytest.mark.parametrize("name", ["bananas", "pods", "requests.cpu", "requests.acme.com/x"])
def test_a_resource_is_one_that_a_container_can_have(name: str) -> None:
    path = f'{LIMITS}["{name}"]' if "." in name else f"{LIMITS}.{name}"
    assert problems_of(limited({name: 1})) == {path: "a name that is no resource of a container"}


def test_huge_pages_are_reserved_as_they_are_limited() -> None:
    parse(limited({"hugepages-2Mi": "4Mi", "ephemeral-storage": "1Gi", "acme.com/x": 1}))
    wrong = limited({"hugepages-2Mi": "4Mi"}, requests={"hugepages-2Mi": "2Mi"})
    assert problems_of(wrong) == {"spec.data.resourcesPerNode.requests.hugepages-2Mi": "2Mi"}


SCRATCH = {"name": "scratch", "emptyDir": {}}
AT_MNT = {"name": "scratch", "mountPath": "/mnt/scratch"}


def with_volumes(*volumes: dict[str, Any], **spec: object) -> dict[str, Any]:
    mounts = [{"name": volume["name"], "mountPath": f"/mnt/{volume['name']}"} for volume in volumes]
    return document(**{"volumes": list(volumes), "volumeMounts": mounts, **spec})


@pytest.mark.parametrize(
    ("volume", "field", "found"),
    [
        ({}, "", "no source"),
        ({"emptyDir": {}, "secret": {"secretName": "s"}}, "", "secret and emptyDir"),
        ({"hostPath": {"path": "/"}}, ".hostPath", "an unknown field"),
        ({"name": "autoscaler-token", "emptyDir": {}}, ".name", "autoscaler-token"),
        ({"projected": {"sources": [{}]}}, ".projected.sources[0]", "neither of secret and configMap"),
        (
            {"projected": {"sources": [{"serviceAccountToken": {}}]}},
            ".projected.sources[0].serviceAccountToken",
            "an unknown field",
        ),
        ({"emptyDir": {"sizeLimit": "-1Gi"}}, ".emptyDir.sizeLimit", "-1Gi"),
    ],
)
def test_a_volume_is_one_that_the_restricted_level_allows_and_has_no_token(volume, field, found):
    problems = problems_of(with_volumes({"name": "a", **volume}))
    assert found in problems[f"spec.volumes[0]{field}"]


@pytest.mark.parametrize("path", ["../x", "a/../b", "/a", ".", "..", "a//b", "a/./b"])
def test_what_is_mounted_lies_in_its_volume(path: str) -> None:
    mount = {**AT_MNT, "subPath": path}
    assert list(problems_of(document(volumes=[SCRATCH], volumeMounts=[mount]))) == ["spec.volumeMounts[0].subPath"]
    parse(document(volumes=[SCRATCH], volumeMounts=[{**AT_MNT, "subPath": "a/.b/c d/"}]))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"volumeMounts": [AT_MNT]}, {"spec.volumeMounts[0].name": "scratch"}),
        ({"trainer": {"volumeMounts": [AT_MNT]}}, {"spec.trainer.volumeMounts[0].name": "scratch"}),
        ({"volumes": [SCRATCH]}, {"spec.volumes[0].name": "scratch, which is not mounted"}),
        (
            {"volumes": [SCRATCH], "volumeMounts": [AT_MNT, {**AT_MNT, "mountPath": "/mnt/scratch/"}]},
            {"spec.volumeMounts[1].mountPath": "/mnt/scratch/"},
        ),
        (
            {"volumes": [SCRATCH], "volumeMounts": [AT_MNT], "data": {"volumeMounts": [AT_MNT]}},
            {"spec.data.volumeMounts[0].mountPath": "/mnt/scratch"},
        ),
        (
            {
                "volumes": [SCRATCH],
                "trainer": {"volumeMounts": [AT_MNT]},
                "storage": {"persistentVolumeClaim": {"claimName": "c", "mountPath": "/mnt/scratch"}},
            },
            {"spec.trainer.volumeMounts[0].mountPath": "/mnt/scratch"},
        ),
        (
            {"volumes": [SCRATCH], "volumeMounts": [{**AT_MNT, "mountPath": "/tmp"}]},
            {"spec.volumeMounts[0].mountPath": "/tmp"},
        ),
    ],
)
def test_mounts_and_volumes_belong_together(spec: dict[str, Any], expected: dict[str, str]) -> None:
    assert problems_of(document(**spec)) == expected


def test_both_groups_may_mount_different_volumes_at_one_path() -> None:
    other = {"name": "other", "emptyDir": {}}
    parse(
        document(
            volumes=[SCRATCH, other],
            trainer={"volumeMounts": [AT_MNT]},
            data={"volumeMounts": [{**AT_MNT, "name": "other"}]},
        )
    )


@pytest.mark.parametrize("source", ["train", "validation"])
def test_rows_below_a_mount_are_seen_by_the_head(source: str) -> None:
    rows = {"train": {"format": "Parquet", "path": "s3://b/x"}}
    recipe = {"dataset": {**rows, source: {"format": "Parquet", "path": "/mnt/scratch/rows/*.parquet"}}}
    wrong = document(volumes=[SCRATCH], data={"volumeMounts": [AT_MNT]}, recipe=recipe)
    found = "/mnt/scratch/rows/*.parquet below spec.data.volumeMounts[0]"
    assert problems_of(wrong) == {f"spec.recipe.dataset.{source}.path": found}
    parse(with_volumes(SCRATCH, recipe=recipe))


def test_a_cache_that_is_written_is_not_below_a_mount_that_is_only_read() -> None:
    claim = {"name": "data", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}}
    rows = {"format": "Parquet", "path": "/mnt/data/rows"}

    def cached(**cache: str) -> dict[str, Any]:
        return with_volumes(claim, recipe={"dataset": {"train": rows, "cache": cache}})

    found = "/mnt/data/prepared below spec.volumeMounts[0], which is read-only"
    assert problems_of(cached(path="/mnt/data/prepared")) == {"spec.recipe.dataset.cache.path": found}
    parse(cached(path="/mnt/data/prepared", mode="ReadOnly"))
    parse(cached(path="/mnt/database/prepared"))


@pytest.mark.parametrize(
    "key",
    [
        "ray.io/cluster",
        "x.ray.io/y",
        "kueue.x-k8s.io/queue-name",
        "trainingrun.dev/group",
        "kubernetes.io/arch",
        "app.kubernetes.io/name",
        "app.kubernetes.io/managed-by",
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
    ],
)
def test_labels_and_annotations_of_pods_say_nothing_to_those_who_manage_them(key: str) -> None:
    for field in ("labels", "annotations"):
        problems = problems_of(document(podMetadata=[{"target": "Data", field: {key: "x"}}]))
        assert problems == {f'spec.podMetadata[0].{field}["{key}"]': "a reserved prefix"}


@pytest.mark.parametrize(
    "key",
    [
        "team",
        "example.com/team",
        "myray.io/x",
        "azure.workload.identity/use",
        "app.kubernetes.io/part-of",
        "k8s.v1.cni.cncf.io/networks",
        "sidecar.istio.io/inject",
    ],
)
def test_other_labels_and_annotations_are_taken(key: str) -> None:
    parse(document(podMetadata=[{"target": "Data", "labels": {key: "x"}, "annotations": {key: "x"}}]))


def test_topology_is_one_key_and_the_only_affinity_of_trainers() -> None:
    assert problems_of(document(topology={})) == {"spec.topology": "neither of preferred and required"}
    affinity = [{"target": target, "spec": {"affinity": {}}} for target in ("Head", "Trainer")]
    problems = problems_of(document(topology={"preferred": "zone"}, podTemplatePatches=affinity))
    assert list(problems) == ["spec.podTemplatePatches[1].spec.affinity"]
    parse(document(topology={"preferred": "zone"}, podTemplatePatches=affinity[:1]))


@pytest.mark.parametrize("field", ["volumes", "serviceAccountName"])
def test_a_field_of_all_pods_in_a_patch_is_told_where_it_belongs(field: str) -> None:
    with pytest.raises(InvalidSpec) as invalid:
        parse(document(podTemplatePatches=[{"target": "Head", "spec": {field: "x"}}]))
    (problem,) = invalid.value.problems
    assert problem.allowed.startswith(f"it as spec.{field}, or here one of affinity")
