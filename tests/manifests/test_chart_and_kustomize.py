"""The chart and the overlays are two ways to the same objects."""

from __future__ import annotations

import copy

import pytest
import yaml
from rendering import ROOT, Manifests, Object, names

# What only Helm writes: who installed it, and which release.
_HELMS = {"helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/instance", "app.kubernetes.io/version"}
_KEEP = "helm.sh/resource-policy"
PAIRS = {"default": {}, "ha": {"replicas": 2}, "namespaced": {"namespaces": ["training"]}}


def comparable(objects: list[Object]) -> dict[tuple[str, str, str], Object]:
    """The objects by kind, namespace and name, without what Helm adds to each."""
    found = {}
    for item in copy.deepcopy(objects):
        metadata = item["metadata"]
        labels = {key: value for key, value in metadata.get("labels", {}).items() if key not in _HELMS}
        annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != _KEEP}
        item["metadata"] = {**metadata, "labels": labels, **({"annotations": annotations} if annotations else {})}
        found[item["kind"], metadata.get("namespace", ""), metadata["name"]] = item
    assert len(found) == len(objects)
    return found


@pytest.mark.parametrize("overlay", PAIRS)
def test_chart_and_overlay_make_the_same_objects(manifests: Manifests, overlay: str) -> None:
    by_kustomize = comparable(manifests.overlay(overlay))
    # Helm makes the namespace itself, by --create-namespace.
    del by_kustomize["Namespace", "", "trainingrun-system"]
    by_helm = comparable(manifests.chart(PAIRS[overlay]))
    assert sorted(by_helm) == sorted(by_kustomize)
    for key, item in by_helm.items():
        assert item == by_kustomize[key], key


def test_the_policy_for_runs_is_the_same_by_both(manifests: Manifests) -> None:
    by_helm = manifests.chart({"networkPolicy": {"runs": ["training", "research"]}})
    added = [item for item in by_helm if item["metadata"]["name"] == "trainingrun-operator-runs"]
    (by_kustomize,) = comparable(manifests.folder(ROOT / "manifests" / "base" / "run-networkpolicy")).values()
    assert [item["metadata"].pop("namespace") for item in added] == ["training", "research"]
    for item in comparable(added[:1]).values():
        assert item == by_kustomize


def test_every_folder_of_the_base_is_used(manifests: Manifests) -> None:
    bases = {path.parent.name for path in (ROOT / "manifests" / "base").glob("*/kustomization.yaml")}
    default = yaml.safe_load((ROOT / "manifests" / "overlays" / "default" / "kustomization.yaml").read_text())
    used = {resource.rpartition("/")[2] for resource in default["resources"]}
    # For the namespaces that runs are in, which no overlay knows.
    assert bases - used == {"run-networkpolicy"}


def test_a_namespaced_operator_has_no_rights_elsewhere(manifests: Manifests) -> None:
    objects = manifests.overlay("namespaced")
    assert ("ClusterRoleBinding", "trainingrun-operator") not in names(objects)
    bound = [item["roleRef"]["name"] for item in objects if item["kind"] == "ClusterRoleBinding"]
    assert sorted(bound) == ["trainingrun-operator-cluster-runtimes", "trainingrun-operator-tokens"]
    roles = {item["metadata"]["name"]: item["rules"] for item in objects if item["kind"] == "ClusterRole"}
    assert [rule["resources"] for rule in roles["trainingrun-operator-tokens"]] == [["tokenreviews"]]
    (rule,) = roles["trainingrun-operator-cluster-runtimes"]
    assert (rule["resources"], rule["verbs"]) == (["clustertrainingruntimes"], ["list", "watch"])
