"""What each value of the chart changes, and that nothing else does."""

from __future__ import annotations

import dataclasses

import pytest
from pod_security import violations
from rendering import CHART, Manifests, Object, environment, names, one, operator_pod

from trainingrun.engine.settings import Settings, load_settings, variable_of

NAME = "trainingrun-operator"


def test_helm_finds_nothing_to_say_about_the_chart(manifests: Manifests) -> None:
    assert "0 chart(s) failed" in manifests.lint()


def test_rendering_it_again_changes_nothing(manifests: Manifests) -> None:
    # As Argo CD renders it, without a look at the cluster: a value that is random would change each time.
    first = manifests.template(CHART, {}, [])
    assert first == manifests.template(CHART, {}, ["--debug"])


@pytest.mark.parametrize("values", [{}, {"replicas": 2}, {"progress": {"existingSecret": "own"}}], ids=str)
def test_every_pod_satisfies_the_restricted_profile(manifests: Manifests, values: Object) -> None:
    objects = manifests.chart(values, tests=True)
    specs = [operator_pod(objects)["spec"], one(objects, "Pod", f"{NAME}-test")["spec"]]
    for spec in specs:
        assert list(violations(spec)) == []
        assert spec["securityContext"]["runAsUser"] == 65532
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert "memory" in container["resources"]["limits"]
            assert "cpu" not in container["resources"]["limits"]


def test_the_operator_accepts_the_settings_that_the_chart_gives_it(manifests: Manifests) -> None:
    values = {"namespaces": ["training", "research"], "fullnameOverride": "second", "settings": _SETTINGS}
    pod = one(manifests.chart(values), "Deployment", "second")["spec"]["template"]
    variables = environment(pod)
    files = ("PROGRESS_CERTIFICATE", "PROGRESS_KEY", "PROGRESS_CA")
    given = load_settings({}, {name: text for name, text in variables.items() if not name.endswith(files)})
    assert given.namespaces == ("training", "research")
    assert given.lease_name == "second"
    assert given.progress_url == "https://second-progress.trainingrun-system.svc"
    assert (given.workers, given.log_level, given.resync_seconds) == (4, "debug", 86400)


_SETTINGS = {"workers": 4, "logLevel": "debug", "resyncSeconds": 86400}


def test_ports_are_those_that_the_operator_listens_on(manifests: Manifests) -> None:
    ports = operator_pod(manifests.chart())["spec"]["containers"][0]["ports"]
    by_name = {port["name"]: port["containerPort"] for port in ports}
    assert by_name == {"metrics": Settings().health_port, "progress": Settings().progress_port}


def test_every_variable_is_a_setting(manifests: Manifests) -> None:
    known = {variable_of(field.name) for field in dataclasses.fields(Settings)}
    values = {"namespaces": ["a"], "fullnameOverride": "second", "settings": _SETTINGS}
    pod = one(manifests.chart(values), "Deployment", "second")["spec"]["template"]
    assert set(environment(pod)) <= known


def test_pods_reach_the_endpoint_under_the_name_in_its_certificate(manifests: Manifests) -> None:
    objects = manifests.chart()
    pod = operator_pod(objects)
    (init,) = pod["spec"]["initContainers"]
    service = one(objects, "Service", f"{NAME}-progress")
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert f"--host={host}" in init["args"]
    assert environment(pod)["TRAININGRUN_OPERATOR_PROGRESS_URL"] == f"https://{host}"
    assert service["spec"]["ports"] == [{"name": "https", "port": 443, "targetPort": "progress"}]


def test_the_secret_of_the_certificate_is_empty_and_its_role_is_for_it_alone(manifests: Manifests) -> None:
    objects = manifests.chart()
    assert {"data", "stringData"} & set(one(objects, "Secret", f"{NAME}-certificate")) == set()
    rules = [rule for item in objects for rule in item.get("rules", []) if "secrets" in rule["resources"]]
    named = [f"{NAME}-certificate"]
    assert rules == [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": named, "verbs": ["get", "update"]}]


def test_a_certificate_of_ones_own_is_mounted_and_none_is_made(manifests: Manifests) -> None:
    objects = manifests.chart({"progress": {"existingSecret": "own"}})
    spec = operator_pod(objects)["spec"]
    assert spec["volumes"] == [{"name": "certificate", "secret": {"secretName": "own", "defaultMode": 0o440}}]
    assert "initContainers" not in spec
    assert not any(name.endswith("-certificate") for _, name in names(objects))


def test_without_progress_nothing_of_the_endpoint_is_there(manifests: Manifests) -> None:
    objects = manifests.chart({"progress": {"enabled": False}, "namespaces": ["training"]})
    spec = operator_pod(objects)["spec"]
    assert set(environment({"spec": spec})) == {"TRAININGRUN_OPERATOR_NAMESPACES"}
    assert {"volumes", "initContainers"} & set(spec) == set()
    assert {("Service", f"{NAME}-progress"), ("ClusterRole", f"{NAME}-tokens")} & names(objects) == set()
    assert [port["name"] for port in spec["containers"][0]["ports"]] == ["metrics"]


def test_the_definition_is_kept_when_the_chart_goes(manifests: Manifests) -> None:
    definition = one(manifests.chart({"crds": {"annotations": {"a": "b"}}}), _CRD, "trainingruns.trainingrun.dev")
    assert definition["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep", "a": "b"}


def test_the_certificate_is_kept_for_the_runs_that_know_it_when_the_chart_goes(manifests: Manifests) -> None:
    secret = one(manifests.chart(), "Secret", f"{NAME}-certificate")
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_definition_can_be_left_out_or_let_go(manifests: Manifests) -> None:
    assert (_CRD, "trainingruns.trainingrun.dev") not in names(manifests.chart({"crds": {"install": False}}))
    definition = one(manifests.chart({"crds": {"keep": False}}), _CRD, "trainingruns.trainingrun.dev")
    assert "annotations" not in definition["metadata"]


_CRD = "CustomResourceDefinition"


def test_only_several_replicas_have_a_disruption_budget_and_are_spread(manifests: Manifests) -> None:
    alone, several = manifests.chart(), manifests.chart({"replicas": 2})
    assert names(several) - names(alone) == {("PodDisruptionBudget", NAME)}
    assert "topologySpreadConstraints" not in operator_pod(alone)["spec"]
    budget, pod = one(several, "PodDisruptionBudget", NAME), operator_pod(several)
    selector = budget["spec"]["selector"]
    assert selector["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["topologySpreadConstraints"][0]["labelSelector"] == selector


def test_selectors_choose_the_operator_and_not_the_pod_of_the_test(manifests: Manifests) -> None:
    objects = manifests.chart({"podLabels": {"team": "ml"}}, tests=True)
    labels = operator_pod(objects)["metadata"]["labels"]
    test = one(objects, "Pod", f"{NAME}-test")["metadata"]["labels"]
    assert labels["team"] == "ml"
    selectors = [item["spec"]["selector"] for item in objects if item["kind"] == "Service"]
    selectors.append(one(objects, "Deployment", NAME)["spec"]["selector"]["matchLabels"])
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= test.items()


def test_helm_test_asks_the_service_whether_the_operator_is_ready(manifests: Manifests) -> None:
    objects = manifests.chart(tests=True)
    pod = one(objects, "Pod", f"{NAME}-test")
    service = one(objects, "Service", f"{NAME}-metrics")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert (pod["spec"]["restartPolicy"], pod["spec"]["activeDeadlineSeconds"]) == ("OnFailure", 60)
    (port,) = service["spec"]["ports"]
    url = f"http://{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{port['port']}/readyz"
    assert pod["spec"]["containers"][0]["command"][-1] == url
    # Nothing that the operator needs at run time is a hook: Argo CD would make and delete it at every sync.
    hooks = [item for item in objects if "helm.sh/hook" in item["metadata"].get("annotations", {})]
    assert hooks == [pod]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "registry.example/trainingrun-operator:0.1.0"),
        ({"repository": "mirror.local/op", "tag": "2"}, "mirror.local/op:2"),
        ({"tag": "2", "digest": f"sha256:{'a' * 64}"}, f"registry.example/trainingrun-operator@sha256:{'a' * 64}"),
    ],
)
def test_every_container_runs_the_image_of_the_values(manifests: Manifests, image: Object, expected: str) -> None:
    values = {"image": {**image, "pullPolicy": "Never"}, "imagePullSecrets": [{"name": "registry"}]}
    objects = manifests.chart(values, tests=True)
    for spec in (operator_pod(objects)["spec"], one(objects, "Pod", f"{NAME}-test")["spec"]):
        containers = [*spec.get("initContainers", []), *spec["containers"]]
        assert {(item["image"], item["imagePullPolicy"]) for item in containers} == {(expected, "Never")}
        assert spec["imagePullSecrets"] == [{"name": "registry"}]


def test_values_for_placing_the_pod_reach_it(manifests: Manifests) -> None:
    placing = {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "system-cluster-critical",
    }
    spec = operator_pod(manifests.chart(placing))["spec"]
    assert {field: spec[field] for field in placing} == placing


def test_roles_of_people_and_metrics_and_policies_can_be_chosen(manifests: Manifests) -> None:
    default = names(manifests.chart())
    values = {
        "rbac": {"aggregate": False},
        "metrics": {"serviceMonitor": {"enabled": True}},
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"annotations": {"a": "b"}},
    }
    changed = manifests.chart(values)
    assert default - names(changed) == {
        ("ClusterRole", f"{NAME}-view"),
        ("ClusterRole", f"{NAME}-edit"),
        ("ClusterRole", f"{NAME}-admin"),
        ("ClusterRole", f"{NAME}-cluster-runtimes-admin"),
        ("NetworkPolicy", NAME),
    }
    assert names(changed) - default == {("ServiceMonitor", NAME)}
    assert one(changed, "ServiceAccount", NAME)["metadata"]["annotations"] == {"a": "b"}


def test_two_operators_share_no_name_and_no_pod(manifests: Manifests) -> None:
    first = manifests.chart({"crds": {"install": False}})
    second = manifests.chart({"crds": {"install": False}, "fullnameOverride": "second"}, release="second")
    assert names(first) & names(second) == set()
    selector = one(first, "Deployment", NAME)["spec"]["selector"]["matchLabels"]
    labels = one(second, "Deployment", "second")["spec"]["template"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()


def test_notes_say_what_is_served_and_warn_of_what_is_not_safe(manifests: Manifests) -> None:
    quiet = {"namespaces": ["training"], "networkPolicy": {"runs": ["training"]}}
    assert "serves training." in manifests.notes(quiet)
    assert "the whole cluster" not in manifests.notes(quiet)
    loud = {"crds": {"keep": False}, "progress": {"enabled": False}}
    for words in ("serves all namespaces", "the whole cluster", "WARNING: `helm uninstall`", "hangs are not detected"):
        assert words in manifests.notes(loud)
