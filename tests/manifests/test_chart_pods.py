"""What the chart lets a cluster's owners add to the operator's pods, and that it replaces nothing of the operator's."""

from __future__ import annotations

from pod_security import violations
from rendering import Manifests, Object, environment, one, operator_pod

NAME = "trainingrun-operator"
IDS = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}


def test_variables_arguments_and_volumes_are_added_to_those_of_the_operator(manifests: Manifests) -> None:
    extra = {
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraArgs": ["--no-leader-election"],
        "extraVolumes": [{"name": "company", "configMap": {"name": "company-ca"}}],
        "extraVolumeMounts": [{"name": "company", "mountPath": "/etc/company", "readOnly": True}],
    }
    without, spec = (operator_pod(manifests.chart(values))["spec"] for values in ({}, extra))
    (manager,) = spec["containers"]
    assert manager["args"] == ["operator", "--no-leader-election"]
    assert environment({"spec": spec}) == {**environment({"spec": without}), "HTTPS_PROXY": "http://proxy:3128"}
    assert spec["volumes"] == [*without["volumes"], *extra["extraVolumes"]]
    for kind in ("containers", "initContainers"):
        (container,), (before,) = spec[kind], without[kind]
        assert container["volumeMounts"] == [*before["volumeMounts"], *extra["extraVolumeMounts"]]
        assert container["env"][-1:] == extra["extraEnv"]
    alone = operator_pod(manifests.chart({**extra, "progress": {"enabled": False}}))["spec"]
    assert alone["volumes"] == extra["extraVolumes"]
    assert alone["containers"][0]["volumeMounts"] == extra["extraVolumeMounts"]


def test_openshift_chooses_user_and_groups_of_the_operators_pods_and_of_runs(manifests: Manifests) -> None:
    values = {"podSecurityContext": IDS, "settings": {"fixedIds": False}}
    objects = manifests.chart(values, tests=True)
    for pod in (operator_pod(objects)["spec"], one(objects, "Pod", f"{NAME}-test")["spec"]):
        assert IDS.keys() & pod["securityContext"].keys() == set()
        assert list(violations(pod)) == []
    assert environment(operator_pod(objects))["TRAININGRUN_OPERATOR_FIXED_IDS"] == "false"


def test_a_container_has_the_security_of_the_values(manifests: Manifests) -> None:
    objects = manifests.chart({"containerSecurityContext": {"seLinuxOptions": {"type": "x"}}}, tests=True)
    for pod in (operator_pod(objects)["spec"], one(objects, "Pod", f"{NAME}-test")["spec"]):
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            assert container["securityContext"]["seLinuxOptions"] == {"type": "x"}
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_every_object_and_the_pods_have_the_common_labels(manifests: Manifests) -> None:
    values = {"commonLabels": {"team": "platform"}, "networkPolicy": {"runs": ["training"]}, "replicas": 2}
    objects = manifests.chart(values, tests=True)
    for item in [*objects, operator_pod(objects)]:
        assert item["metadata"]["labels"]["team"] == "platform"
    annotated = one(manifests.chart({"deploymentAnnotations": {"a": "b"}}), "Deployment", NAME)
    assert annotated["metadata"]["annotations"] == {"a": "b"}
    assert "annotations" not in annotated["spec"]["template"]["metadata"]


def subjects(objects: list[Object]) -> set[str]:
    return {subject["name"] for item in objects for subject in item.get("subjects", ())}


def test_a_service_account_of_ones_own_gets_the_rights(manifests: Manifests) -> None:
    objects = manifests.chart({"serviceAccount": {"create": False, "name": "platform"}})
    assert "ServiceAccount" not in {item["kind"] for item in objects}
    assert operator_pod(objects)["spec"]["serviceAccountName"] == "platform"
    assert subjects(objects) == {"platform"}
    named = manifests.chart({"serviceAccount": {"name": "platform"}})
    assert one(named, "ServiceAccount", "platform")
    assert subjects(manifests.chart()) == {NAME}


def test_another_app_name_is_a_label_by_which_pods_are_still_told_apart(manifests: Manifests) -> None:
    values = {"nameOverride": "training", "crds": {"install": False}}
    first, second = (manifests.chart(values, release=release) for release in ("first", "second"))
    selector = one(first, "Deployment", NAME)["spec"]["selector"]["matchLabels"]
    assert selector["app.kubernetes.io/name"] == "training"
    assert selector.items() <= operator_pod(first)["metadata"]["labels"].items()
    assert not selector.items() <= operator_pod(second)["metadata"]["labels"].items()
    policy = one(first, "NetworkPolicy", NAME)["spec"]
    assert policy["podSelector"]["matchLabels"] == selector


def test_a_service_monitor_is_found_where_prometheus_looks_for_it(manifests: Manifests) -> None:
    often = {"interval": "30s", "scrapeTimeout": "5s"}
    given = {"enabled": True, "labels": {"release": "prometheus"}, "namespace": "monitoring", **often}
    monitor = one(manifests.chart({"metrics": {"serviceMonitor": given}}), "ServiceMonitor", NAME)
    assert monitor["metadata"]["namespace"] == "monitoring"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["endpoints"] == [{"port": "http-metrics", "honorLabels": True, **often}]
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": ["trainingrun-system"]}
