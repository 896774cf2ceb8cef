"""The rules of resources: amounts that Kubernetes would refuse later, when no author is there to read it."""

from __future__ import annotations

from collections.abc import Iterator

from trainingrun.crd.rules.rule import KEYS, Rule, amount, is_gpu
from trainingrun.spec.accelerators import ACCELERATOR, GPU_WORDS, NETWORK, PART_OF_GPU
from trainingrun.spec.groups import (
    DEVICE_PATTERN,
    HUGE_PAGES,
    QUOTA_PREFIX,
    STANDARD_RESOURCES,
    HeadResources,
    Resources,
)

_AMOUNTS = "groups.Resources.broken_rules"
_ACCELERATORS = "groups.Resources._broken_accelerators"
_REQUESTS = "groups.Resources._broken_requests"


def resource_rules() -> Iterator[Rule]:
    """The rules of the resources of every kind of pod."""
    for model in (Resources, HeadResources):
        yield from _rules_of_amounts(model, "limits")
        yield from _rules_of_limits(model)
        yield from _rules_of_amounts(model, "requests")
        yield from _rules_of_requests(model)


def _rules_of_amounts(model: type[Resources], at: str) -> Iterator[Rule]:
    words = "keys must be resource names, such as `cpu` or `nvidia.com/gpu`"
    yield Rule(model, "model.RESOURCE_KEYS", KEYS, words, at=at)
    standard = ", ".join(f"'{name}'" for name in STANDARD_RESOURCES)
    yield Rule(
        model,
        _AMOUNTS,
        f"""self.all(k, k.contains('/') ? !k.startsWith('{QUOTA_PREFIX}')
            : k in [{standard}] || k.startsWith('{HUGE_PAGES}'))""",
        f"keys must be {', '.join(STANDARD_RESOURCES)}, {HUGE_PAGES}SIZE, or a device such as `nvidia.com/gpu`",
        at=at,
    )
    yield Rule(model, _AMOUNTS, f"self.all(k, sign({amount('self')}) >= 0)", "amounts must be 0 or more", at=at)
    yield Rule(
        model,
        _AMOUNTS,
        f"self.all(k, !k.contains('/') || string(self[k]).matches('{DEVICE_PATTERN}'))",
        "amounts of devices must be whole numbers in digits",
        at=at,
    )


def _rules_of_limits(model: type[Resources]) -> Iterator[Rule]:
    yield Rule(
        model,
        _AMOUNTS,
        f"self.all(k, !(k in ['cpu', 'memory']) || sign({amount('self')}) > 0)",
        "`cpu` and `memory` must be more than 0",
        at="limits",
    )
    yield Rule(
        model,
        _ACCELERATORS,
        f"self.filter(k, {is_gpu()}).size() <= 1",
        "must name at most one kind of GPU",
        at="limits",
    )
    yield Rule(
        model,
        _ACCELERATORS,
        f"""self.all(k, !k.contains('/') || {is_gpu()} || k.matches(r'{NETWORK}')
            || !k.matches(r'{ACCELERATOR}'))""",
        f"must name no accelerator but {GPU_WORDS}",
        at="limits",
    )
    yield Rule(
        model,
        _ACCELERATORS,
        f"self.all(k, !k.matches(r'{PART_OF_GPU}') || {amount('self')}.compareTo(quantity('1')) <= 0)",
        "must have at most 1 of a part of a GPU, as a process can use only one",
        at="limits",
    )
    if model is HeadResources:
        yield Rule(
            model,
            "groups.HeadResources.broken_rules",
            f"self.all(k, !{is_gpu()} || sign({amount('self')}) == 0)",
            "must have no GPU, as nothing trains on the head",
            at="limits",
        )


def _rules_of_requests(model: type[Resources]) -> Iterator[Rule]:
    requested, limit = amount("self.requests"), amount("self.limits")
    cpu, memory = model.default_limits["cpu"], model.default_limits["memory"]
    yield Rule(
        model,
        _REQUESTS,
        f"""!has(self.requests) || self.requests.all(k,
            has(self.limits) && k in self.limits ? {requested}.compareTo({limit}) <= 0
            : k == 'cpu' ? {requested}.compareTo(quantity('{cpu}')) <= 0
            : k != 'memory' || {requested}.compareTo(quantity('{memory}')) <= 0)""",
        f"must be at most the limits, which default to {cpu} for `cpu` and {memory} for `memory`",
        field="requests",
    )
    yield Rule(
        model,
        _REQUESTS,
        f"""!has(self.requests) || self.requests.all(k, !k.contains('/') && !k.startsWith('{HUGE_PAGES}')
            || (has(self.limits) && k in self.limits && {requested}.compareTo({limit}) == 0))""",
        "amounts of devices and huge pages must be the same as in `limits`",
        field="requests",
    )
