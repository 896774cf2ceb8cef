"""The operator's page repeats its settings, metrics and rights, and they are those of the code and the manifests."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from documents import ROOT, table
from prometheus_client import Metric

from trainingrun.engine.assembly import assemble
from trainingrun.engine.run_metrics import RunMetrics
from trainingrun.engine.settings import Settings, flag_of, variable_of

PAGE = ROOT / "docs" / "operator.md"
MONITORING = ROOT / "docs" / "monitoring.md"
RIGHTS = ROOT / "manifests" / "base" / "rbac"


def written(default: Any) -> str:
    if default in (None, ()):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def served_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_the_settings_are_those_of_the_code() -> None:
    settings = [
        [f"`{flag_of(field.name)}`", f"`{variable_of(field.name)}`", written(field.default), field.metadata["meaning"]]
        for field in dataclasses.fields(Settings)
    ]
    assert table(PAGE, "Flag") == settings


def test_the_metrics_are_those_that_are_served() -> None:
    async def served() -> list[list[str]]:
        parts = assemble(Settings(lease_namespace="system"), object())  # type: ignore[arg-type]
        families = list(parts.metrics.registry.collect())
        return [[f"`{served_name(family)}`", family.type, family.documentation] for family in families]

    assert table(PAGE, "Metric") == asyncio.run(served())


def test_the_metrics_of_runs_are_those_that_are_served() -> None:
    runs = RunMetrics(1, timedelta(), lambda: datetime.now(UTC))
    families = {
        f"{family.name}_total" if family.type == "counter" else family.name: family for family in runs.collect()
    }
    left_out = families.pop("trainingrun_run_metrics_left_out")
    assert f"`{left_out.name}`" in MONITORING.read_text()
    served = [[f"`{name}`", family.type, family.documentation] for name, family in families.items()]
    assert [[name, kind, meaning] for name, kind, _, meaning in table(MONITORING, "Metric of a run")] == served


def test_the_rights_are_those_of_the_manifests() -> None:
    given: dict[str, set[str]] = {}
    for role in ("role.yaml", "lease_role.yaml"):
        for rule in yaml.safe_load((RIGHTS / role).read_text())["rules"]:
            for resource in rule["resources"]:
                given.setdefault(resource, set()).update(rule["verbs"])
    documented = {resource.strip("`"): set(verbs.split(", ")) for resource, verbs, _ in table(PAGE, "Resource")}
    assert documented == given
