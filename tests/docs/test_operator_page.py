"""The operator's page repeats its settings, metrics and rights, and they are those of the code and the manifests."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import yaml
from documents import ROOT, table

from trainingrun.engine.assembly import assemble
from trainingrun.engine.settings import Settings, flag_of, variable_of

PAGE = ROOT / "docs" / "operator.md"
RIGHTS = ROOT / "manifests" / "base" / "rbac"


def written(default: Any) -> str:
    if default in (None, ()):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


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
        names = [f"{family.name}_total" if family.type == "counter" else family.name for family in families]
        return [[f"`{name}`", family.type, family.documentation] for name, family in zip(names, families, strict=True)]

    assert table(PAGE, "Metric") == asyncio.run(served())


def test_the_rights_are_those_of_the_manifests() -> None:
    given: dict[str, set[str]] = {}
    for role in ("role.yaml", "lease_role.yaml"):
        for rule in yaml.safe_load((RIGHTS / role).read_text())["rules"]:
            for resource in rule["resources"]:
                given.setdefault(resource, set()).update(rule["verbs"])
    documented = {resource.strip("`"): set(verbs.split(", ")) for resource, verbs, _ in table(PAGE, "Resource")}
    assert documented == given
