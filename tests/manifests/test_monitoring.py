"""Alerts and dashboards ask for what the operator serves, lead to the runbook, and are off unless they are wanted."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import network_policy
import pytest
import recorded_objects
import yaml
from alert_series import FIRING
from exposition import operator
from prometheus_client.parser import text_string_to_metric_families
from rendering import CHART, ROOT, Manifests, Object, Refused, names, one

from trainingrun.lifecycle.condition_rules import STALL_LIMIT_PERCENT

NAME = "trainingrun-operator"
RULES = [
    rule for group in yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in (CHART / "files" / "dashboards").glob("*.json")}
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
# Labels that a Prometheus adds to what it scrapes.
_OF_TARGETS = {"job", "namespace", "instance"}
_SELECTOR = re.compile(r"(trainingrun_\w+)(?:\{([^}]*)\})?")
_GROUPED = re.compile(r"\b(?:by|on|group_left) \(([^)]*)\)")


def queries(dashboard: Object) -> list[str]:
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    variables = [item["query"]["query"] for item in dashboard["templating"]["list"] if item["type"] == "query"]
    return panels + [re.sub(r"^label_values\((.*), (\w+)\)$", r"sum by (\2) (\1)", query) for query in variables]


EXPRESSIONS = [rule["expr"] for rule in RULES] + [query for board in DASHBOARDS.values() for query in queries(board)]


@pytest.fixture(scope="module")
def served() -> dict[str, set[str]]:
    """The labels of every series' name that an operator serves."""

    async def text() -> str:
        parts, _ = await operator()
        return parts.metrics.text().decode()

    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(asyncio.run(text())):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_only_what_is_served(served: dict[str, set[str]], expression: str) -> None:
    selectors = _SELECTOR.findall(expression)
    assert selectors
    known = set(_OF_TARGETS)
    for name, matchers in selectors:
        assert name in served
        known |= served[name]
        assert set(re.findall(r"(\w+)(?:=|!)", matchers)) <= served[name] | _OF_TARGETS
    grouped = {label.strip() for labels in _GROUPED.findall(expression) for label in labels.split(",")}
    assert grouped <= known


def test_whatever_is_served_is_on_a_dashboard(served: dict[str, set[str]]) -> None:
    shown = {name for board in DASHBOARDS.values() for query in queries(board) for name, _ in _SELECTOR.findall(query)}
    ways = {f"trainingrun_reconcile_seconds_{part}" for part in ("sum", "count")}
    assert {name for name in served if not name.endswith("_created")} - ways == shown


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_a_dashboard_can_be_imported(dashboard: str) -> None:
    board = DASHBOARDS[dashboard]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 8
    assert len({panel["title"] for panel in panels}) == len(panels)
    variables = {item["name"]: item for item in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    asked = [item for panel in panels for item in (panel, *panel["targets"])]
    asked += [item for item in variables.values() if item["type"] == "query"]
    assert {item["datasource"]["uid"] for item in asked} == {"${datasource}"}
    used = {name for query in queries(board) for name in re.findall(r"\$(\w+)", query)} - {"__rate_interval"}
    assert used == set(variables) - {"datasource"}


def test_panels_do_not_cover_each_other() -> None:
    for board in DASHBOARDS.values():
        taken: set[tuple[int, int]] = set()
        for place in (panel["gridPos"] for panel in board["panels"]):
            cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not cells & taken and place["x"] + place["w"] <= 24
            taken |= cells


def test_dashboards_have_uids_of_their_own() -> None:
    assert sorted(board["uid"] for board in DASHBOARDS.values()) == [NAME, "trainingrun-runs"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_leads_to_its_section_of_the_runbook(rule: Object) -> None:
    titles = re.findall(r"^#+ (.*)$", RUNBOOK, re.MULTILINE)
    anchors = {"#" + re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    assert rule["annotations"]["runbook_url"] in anchors
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")


def test_each_alert_is_documented_and_tried() -> None:
    rows = re.findall(r"^\| \[(\w+)\]\(runbook\.md(#[\w-]+)\) \| (\w+) \|", PAGE, re.MULTILINE)
    alerts = [(rule["alert"], rule["annotations"]["runbook_url"], rule["labels"]["severity"]) for rule in RULES]
    assert rows == alerts
    assert sorted(FIRING) == sorted(alert for alert, _, _ in alerts)


def test_trainers_are_starved_where_the_condition_says_so() -> None:
    (rule,) = [rule for rule in RULES if rule["alert"] == "TrainingRunDataStarved"]
    assert float(rule["expr"].rpartition(" > ")[2]) * 100 == STALL_LIMIT_PERCENT


ADDED = {
    "podMonitor": {("PodMonitor", f"{NAME}-runs")},
    "prometheusRule": {("PrometheusRule", NAME)},
    "dashboards": {("ConfigMap", f"{NAME}-dashboard-{board}") for board in ("operator", "runs")},
}


@pytest.mark.parametrize("part", ADDED)
def test_each_part_is_created_only_where_it_is_wanted(manifests: Manifests, part: str) -> None:
    default = names(manifests.chart())
    wanted = manifests.chart({"metrics": {part: {"enabled": True, "namespace": "monitoring"}}})
    assert names(wanted) - default == ADDED[part]
    assert not default & set().union(*ADDED.values())
    for kind, name in ADDED[part]:
        assert one(wanted, kind, name)["metadata"]["namespace"] == "monitoring"


def test_dashboards_are_found_by_the_label_of_the_sidecar(manifests: Manifests) -> None:
    given = {"enabled": True, "labels": {"grafana_dashboard": None, "shown": "yes"}, "annotations": {"folder": "ML"}}
    for values, label in (({"enabled": True}, ("grafana_dashboard", "1")), (given, ("shown", "yes"))):
        objects = manifests.chart({"metrics": {"dashboards": values}})
        for board, content in DASHBOARDS.items():
            config = one(objects, "ConfigMap", f"{NAME}-dashboard-{board}")
            assert label in config["metadata"]["labels"].items()
            (text,) = config["data"].values()
            assert json.loads(text) == content
    assert "grafana_dashboard" not in config["metadata"]["labels"]
    assert config["metadata"]["annotations"] == {"folder": "ML"}


def test_alerts_get_the_labels_and_the_runbook_of_the_values(manifests: Manifests) -> None:
    given: dict[str, Any] = {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "severities": {"TrainingRunFailed": "info"},
        "alertLabels": {"team": "ml"},
        "runbookUrl": "https://wiki.acme.example/runbook",
    }
    rule = one(manifests.chart({"metrics": {"prometheusRule": given}}), "PrometheusRule", NAME)
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    rendered = {item["alert"]: item for group in rule["spec"]["groups"] for item in group["rules"]}
    assert sorted(rendered) == sorted(item["alert"] for item in RULES)
    for item in RULES:
        severity = {"TrainingRunFailed": "info"}.get(item["alert"], item["labels"]["severity"])
        address = f"https://wiki.acme.example/runbook{item['annotations']['runbook_url']}"
        annotations = {**item["annotations"], "runbook_url": address}
        labels = {"severity": severity, "team": "ml"}
        assert rendered[item["alert"]] == {**item, "labels": labels, "annotations": annotations}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"severities": {"TrainingRunFail": "info"}}, "TrainingRunFail'"),
        ({"alertLabels": {"severity": "info"}}, "'severity'"),
        ({"runbookUrl": "runbook.md"}, "runbookUrl"),
    ],
    ids=str,
)
def test_what_means_nothing_to_alerts_is_refused(manifests: Manifests, given: Object, word: str) -> None:
    with pytest.raises(Refused, match=word):
        manifests.chart({"metrics": {"prometheusRule": {"enabled": True, **given}}})


def test_severities_can_be_given_to_every_alert() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["metrics"]["properties"]
    described = schema["prometheusRule"]["properties"]["severities"]["propertyNames"]["enum"]
    assert described == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("namespaces", [[], ["training"]], ids=str)
def test_the_monitor_of_pods_finds_ray_in_the_pods_of_runs(manifests: Manifests, namespaces: list[str]) -> None:
    given = {"enabled": True, "interval": "30s", "scrapeTimeout": "10s"}
    objects = manifests.chart({"namespaces": namespaces, "metrics": {"podMonitor": given}})
    spec = one(objects, "PodMonitor", f"{NAME}-runs")["spec"]
    assert spec["namespaceSelector"] == ({"matchNames": namespaces} if namespaces else {"any": True})
    (endpoint,) = spec["podMetricsEndpoints"]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("30s", "10s")
    found = {
        name
        for name, pod in recorded_objects.pods().items()
        if endpoint["port"] in pod.ports and network_policy.selects(spec["selector"], pod.labels)
    }
    assert found == {"run's head", "run's data", "run's trainer"}
    # As Prometheus names what Kubernetes calls trainingrun.dev/run-name.
    labels = {re.sub(r"\W", "_", label) for label in recorded_objects.pods()["run's head"].labels}
    for relabeling in endpoint["relabelings"]:
        (source,) = relabeling["sourceLabels"]
        assert source.removeprefix("__meta_kubernetes_pod_label_") in labels
    assert [item["targetLabel"] for item in endpoint["relabelings"]] == ["run", "attempt", "group"]


def test_the_chart_takes_the_values_of_the_page(manifests: Manifests) -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    added = names(manifests.chart(yaml.safe_load(block))) - names(manifests.chart())
    assert added == {("ServiceMonitor", NAME)}.union(*ADDED.values())


def test_files_of_the_chart_are_those_that_templates_read() -> None:
    files = {path.relative_to(CHART) for path in (CHART / "files").rglob("*") if path.is_file()}
    definitions = {Path("files", path.name) for path in (ROOT / "manifests" / "base" / "crd").glob("*training*.yaml")}
    assert files == definitions | {Path("files/role_rules.yaml"), Path("files/alerts.yaml")} | {
        Path(f"files/dashboards/{board}.json") for board in DASHBOARDS
    }
