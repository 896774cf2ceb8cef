"""The rules within a recipe: of what a dataset is, and of the functions that train on it."""

from __future__ import annotations

from trainingrun.crd.rules.rule import Rule, exactly_one
from trainingrun.spec.dataset import COLUMN_LENGTH, COLUMN_PATTERN, TEXT_FORMATS, Cache, Dataset, OnBadRow, Source
from trainingrun.spec.initial_checkpoint import InitialCheckpoint
from trainingrun.spec.recipe import Recipe
from trainingrun.spec.storage import VALIDATION_PREFIX

_TEXTS = " || ".join(f"self.format == '{name}'" for name in TEXT_FORMATS)
_TEXTS_WORDS = " or ".join(f"`{name}`" for name in TEXT_FORMATS)

RECIPE_RULES = (
    Rule(
        OnBadRow,
        "dataset.OnBadRow.broken_rules",
        "self.action == 'Skip' || !has(self.maxShare)",
        "`maxShare` may only be set with the action `Skip`",
        field="maxShare",
    ),
    Rule(
        Source,
        "dataset.Source.broken_rules",
        f"{_TEXTS} || !has(self.schema)",
        f"`schema` may only be set with the format {_TEXTS_WORDS}",
    ),
    Rule(
        InitialCheckpoint,
        "initial_checkpoint.InitialCheckpoint.broken_rules",
        exactly_one("run", "uri"),
        "exactly one of `run` and `uri` must be set",
    ),
    Rule(
        Cache,
        "dataset.Cache.broken_rules",
        "has(self.path) || self.mode == 'Off'",
        "`path` must be set unless the mode is `Off`",
        field="path",
    ),
    *(
        Rule(
            Dataset,
            "dataset.Dataset.broken_rules",
            f"!has(self.{one}) || !has(self.{one}s)",
            f"at most one of `{one}` and `{one}s` may be set",
        )
        for one in ("inputColumn", "targetColumn")
    ),
    *(
        Rule(
            Dataset,
            "dataset.Dataset.broken_rules",
            f"!has(self.{name}) || self.{name}.size() > 0",
            f"`{name}` must name a column",
            field=name,
        )
        for name in ("inputColumns", "columns")
    ),
    *(
        Rule(
            Dataset,
            "dataset._names_are_unique",
            "self.all(name, self.exists_one(other, other == name))",
            f"`{name}` must name each column once",
            at=name,
        )
        for name in ("inputColumns", "targetColumns", "columns")
    ),
    Rule(
        Source,
        "dataset.COLUMN_KEYS",
        rf"self.all(k, k.size() <= {COLUMN_LENGTH} && k.matches(r'^{COLUMN_PATTERN}$'))",
        f"keys must be names of columns, of 1 to {COLUMN_LENGTH} characters",
        at="schema",
    ),
    Rule(
        Recipe,
        "recipe.Recipe.broken_rules",
        "!has(self.dataset.targetColumns) || self.dataset.targetColumns.size() > 0 || has(self.trainStep)"
        " || has(self.loop)",
        "`targetColumns` must name a column, or `trainStep` or `loop` must be set",
        field="dataset.targetColumns",
    ),
    Rule(
        Recipe,
        "recipe.Recipe.broken_rules",
        "!has(self.metric) || !has(self.metrics)",
        "at most one of `metric` and `metrics` may be set",
    ),
    Rule(
        Recipe,
        "recipe.Recipe.broken_rules",
        "!has(self.metric) || (has(self.metric.name) ? self.metric.name != 'loss' : "
        "!(self.metric.function.endsWith(':loss') || self.metric.function.endsWith('.loss')))",
        "the name of `metric` must not be `loss`, which is always reported",
        field="metric",
    ),
    Rule(
        Recipe,
        "rules._early_stopping",
        f"!has(self.earlyStopping) || has(self.dataset.validation)"
        f" || !self.earlyStopping.metric.startsWith('{VALIDATION_PREFIX}')",
        f"a metric `{VALIDATION_PREFIX}...` needs `dataset.validation`",
        field="earlyStopping.metric",
    ),
)
