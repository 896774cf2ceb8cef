"""The rules that a schema cannot express, each next to the rule of the typed model that it repeats.

A run that breaks one is refused when it is applied. What CEL cannot see is in PARSE_ONLY: the API server accepts
such a run, and its condition Accepted says what is wrong.
"""

from __future__ import annotations

from collections import defaultdict

from trainingrun.crd.rules.fields import FIELD_RULES, MUTABLE, immutability_rules
from trainingrun.crd.rules.resources import resource_rules
from trainingrun.crd.rules.rule import Rule
from trainingrun.spec.plain import MAX_DEPTH, MAX_ENTRIES, MAX_VALUES

__all__ = ["BY_LIST_KEYS", "MUTABLE", "PARSE_ONLY", "RULES", "Rule", "rules_by_model"]

RULES = (*FIELD_RULES, *resource_rules(), *immutability_rules())
# Repeated by the API server without a rule: keys of lists are unique.
BY_LIST_KEYS = (
    "environment._names_are_unique",
    "volumes._names_are_unique",
    "volumes._paths_are_unique",
    "run.RunSpec.broken_rules",
)
# What only trainingrun.spec checks, and why.
PARSE_ONLY = {
    "model.PARAMETER_KEYS": (
        "Keys of `parameters` must be valid Python argument names: at most 128 letters, digits and `_`, no digit first."
    ),
    # CEL could tell the name of a function, but the API server knows no bound for what it would cost.
    "recipe._names_differ": "Names of `metrics` must differ, and none may be `loss`, which is always reported.",
    # CEL sees no places in a list, and the API server knows no bound for what sorting would cost.
    "transforms._data_comes_first": "Steps of `transforms` with `runOn: Data` must come before those with `Trainer`.",
    # CEL has no defaults to compare with, and comparing every step with every kind of GPU costs too much.
    "rules._room_for_steps": (
        "`resources` of a step must be at most what a data node has by `data.resourcesPerNode.limits`."
    ),
    # Of a path, CEL has no parts to compare.
    "pod_rules._rows_in_mounts": (
        "Rows of `recipe.dataset` below a mount must be below one of `volumeMounts`, as the head has to find them; and "
        "a cache with mode `ReadWrite` below one that pods can write to. Paths of mounts that differ only in a `/` at "
        "the end count as the same."
    ),
    # CEL does not see fields of any shape.
    "pod_rules.topology_alone": "A patch for the target `Trainer` may have no `affinity` together with `topology`.",
    "plain.PlainCopy": (
        f"Values in `parameters`, `affinity` and `topologySpreadConstraints` must nest at most {MAX_DEPTH} levels "
        f"deep (from the top of the document), lists and mappings hold at most {MAX_ENTRIES:,} entries, the whole "
        f"document at most {MAX_VALUES:,} values, and whole numbers fit into 64 bits."
    ),
}


def rules_by_model() -> dict[str, tuple[Rule, ...]]:
    """The rules of each model, by its name."""
    found: dict[str, tuple[Rule, ...]] = defaultdict(tuple)
    for rule in RULES:
        found[rule.model.__name__] += (rule,)
    return dict(found)
