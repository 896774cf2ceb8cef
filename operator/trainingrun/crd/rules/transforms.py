"""The rules of a recipe's steps of preprocessing."""

from __future__ import annotations

from trainingrun.crd.rules.rule import Rule
from trainingrun.spec.recipe import Recipe
from trainingrun.spec.transforms import StepResources, Transform

_STEP = "transforms.Transform.broken_rules"
_RESOURCES = "transforms.StepResources.broken_rules"
_WANTS_GPU = "has({0}.resources) && has({0}.resources.gpu)"
# As seen from `spec`.
SOME_STEP_WANTS_GPU = (
    f"has(self.recipe.transform) && {_WANTS_GPU.format('self.recipe.transform')} || "
    f"has(self.recipe.transforms) && self.recipe.transforms.exists(t, {_WANTS_GPU.format('t')})"
)

TRANSFORM_RULES = (
    *(
        Rule(
            Transform,
            _STEP,
            f"self.kind != 'Row' || !has(self.{name})",
            f"`{name}` may only be set with the kinds `Batch` and `Class`",
        )
        for name in ("batchFormat", "batchSize")
    ),
    *(
        Rule(
            Transform,
            _STEP,
            f"self.kind == 'Class' || !has(self.{name})",
            f"`{name}` may only be set with the kind `Class`",
        )
        for name in ("concurrency", "resources")
    ),
    Rule(
        Transform,
        _STEP,
        "!has(self.runOn) || self.runOn != 'Trainer' || self.kind != 'Row'",
        "`kind` must be `Batch` or `Class` with `runOn: Trainer`, as a trainer has whole batches",
        field="kind",
    ),
    Rule(
        Transform,
        _STEP,
        """!has(self.runOn) || self.runOn != 'Trainer' || !(has(self.batchFormat) || has(self.batchSize)
            || has(self.concurrency) || has(self.resources))""",
        "`batchFormat`, `batchSize`, `concurrency` and `resources` may only be set with `runOn: Data`",
    ),
    *(
        Rule(
            StepResources,
            _RESOURCES,
            f"!has(self.{name}) || sign(quantity(string(self.{name}))) > 0",
            f"`{name}` must be more than 0",
            field=name,
        )
        for name in ("cpu", "memory", "gpu")
    ),
    Rule(
        StepResources,
        _RESOURCES,
        """!has(self.gpu) || quantity(string(self.gpu)).isInteger()
            || quantity(string(self.gpu)).compareTo(quantity('1')) < 0""",
        "`gpu` must be a whole number, or a share below 1",
        field="gpu",
    ),
    Rule(
        Recipe,
        "recipe.Recipe.broken_rules",
        "!has(self.transform) || !has(self.transforms)",
        "at most one of `transform` and `transforms` may be set",
    ),
)
