"""docs/conditions.md: what conditions, reasons and classes of failure mean, from their definitions."""

from __future__ import annotations

from trainingrun.contract.failure_class import FailureClass
from trainingrun.status.conditions import ConditionType, Reason

_INTRODUCTION = """# Conditions

`python -m trainingrun.crd` writes this page from the operator's own definitions. Every run has all conditions from the
moment the operator first sees it. Programs should read conditions by type and status; `status.state` is for people.

- `kubectl wait --for=condition=Complete` waits for the end of training.
- A failed run has `Failed` and `Stalled`, so that tools that read kstatus (Flux, Helm, kpt) fail at once.
- So has `Stalled` a run that waits for what only a user can change: at once if no retry can help, and after an hour if
  it might heal. It is not over: the operator keeps trying, and `Stalled` ends with its cause.
- While a run is in progress, including in a queue, it has `Reconciling`; with `Stalled` it has not.
- What to check and what to do, reason by reason: [runbook.md](runbook.md).

| Condition | Meaning when true |
|---|---|
"""
_CLASSES = """
## Classes of failure

Each failed attempt has a class in `status.attempts`; the class that ended a run is the reason of `Failed`.
`failurePolicy` decides what follows; where it says nothing, this table applies. `Ignore` retries, `Count` retries as
long as `backoffLimit` allows, `Fail` ends the run.

| Class | Default | Meaning |
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
