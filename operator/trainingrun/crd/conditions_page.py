"""docs/conditions.md: what conditions, reasons and classes of failure mean, from their definitions."""

from __future__ import annotations

from trainingrun.contract.failure_class import FailureClass
from trainingrun.status.conditions import ConditionType, Reason

_INTRODUCTION = """# Conditions

`python -m trainingrun.crd` writes this page from the operator's own definitions. Every run has all conditions from the
moment that it is first seen. Programs should read conditions by type and status; `status.state` is for people.

- `kubectl wait --for=condition=Complete` waits for the end of training.
- A run that has failed has `Failed` and `Stalled`, so that tools which read kstatus (Flux, Helm, kpt) fail at once.
- While a run is on its way, in a queue too, it has `Reconciling`.
- What to look at and what to do, reason by reason: [runbook.md](runbook.md).

| Condition | Meaning when true |
|---|---|
"""
_CLASSES = """
## Classes of failure

Each attempt that failed has one in `status.attempts`; that of a run which has failed is the reason of `Failed`.
`failurePolicy` decides what follows, and what it says nothing about goes by this table. `Ignore` tries again, `Count`
tries again as long as `backoffLimit` allows, `Fail` ends the run.

| Class | By default | Meaning |
|---|---|---|
"""
_REASONS = """
## Reasons

The reason says why a condition has its status; the message has the details. Classes of failure are reasons too.

| Reason | Meaning |
|---|---|
"""
_CLASS_WORDS = frozenset(map(str, FailureClass))


def conditions_page() -> str:
    """The whole page."""
    rows = (f"| `{name}` | `{name.default_action}` | {name.description} |\n" for name in FailureClass)
    types = (f"| `{kind}` | {kind.description} |\n" for kind in ConditionType)
    reasons = (f"| `{reason}` | {reason.description} |\n" for reason in Reason if reason not in _CLASS_WORDS)
    return "".join((_INTRODUCTION, *types, _CLASSES, *rows, _REASONS, *reasons))
