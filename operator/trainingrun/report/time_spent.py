"""The bar of where a run's time went, from its first record to its last: what goodput leaves out, by its cause.

Only what records say: what they do not tell apart is one part, and is called so.
"""

from __future__ import annotations

from itertools import pairwise

from trainingrun.history import History
from trainingrun.history.figures import duration, finite, percent, plural, ratio
from trainingrun.report.axes import Axis
from trainingrun.report.charts import PLANE, Chart, Shape, Table, box, x_labels

_HEIGHT = 34
_SHARES = Axis(0.0, 100.0, tuple((share / 100, f"{share}%") for share in range(0, 101, 25)))


def time_chart(history: History) -> Chart | None:
    """One bar of all of the run's time; None without a finished epoch, of which more is known than its progress."""
    parts = _parts(history)
    total = sum(seconds for _, _, seconds in parts)
    if not history.epochs or total <= 0:
        return None
    shapes: list[Shape] = []
    left = 0.0
    for look, name, seconds in parts:
        right = left + seconds / total * PLANE
        hint = f"{name}: {duration(seconds)}, {percent(ratio(100 * seconds, total))}"
        shapes.append(box(f"area {look}", left, right, 0, PLANE, hint))
        left = right
    rows = [(name, duration(seconds), percent(ratio(100 * seconds, total))) for _, name, seconds in parts]
    return Chart(
        name="time-spent",
        title="Where the time went",
        description=", ".join(f"{name} {share}" for name, _, share in rows),
        unit=f"% of {duration(total)} from the first record to the last",
        shapes=shapes,
        x_labels=x_labels(_SHARES),
        y_labels=[],
        legend=[(f"area {look}", name) for look, name, _ in parts],
        table=Table(("what", "time", "share"), rows, frozenset({1, 2})),
        height=_HEIGHT,
        notes=_notes(history),
    )


def _parts(history: History) -> list[tuple[str, str, float]]:
    """(look, name, seconds) of each part that took time."""
    total = finite(history.seconds) or 0.0
    steps = sum(finite(epoch.seconds) or 0.0 for epoch in history.epochs)
    waited = sum(
        (finite(epoch.seconds) or 0.0) * min(max(finite(epoch.stall.total_percent) or 0.0, 0.0), 100.0) / 100
        for epoch in history.epochs
        if epoch.stall
    )
    saved = sum(max(finite(item.seconds) or 0.0, 0.0) for item in history.checkpoints)
    between = sum(max(later.first_time - earlier.last_time, 0.0) for earlier, later in pairwise(history.attempts))
    known = [
        ("computing", "Steps of finished epochs", steps - waited),
        ("production", "Waiting for data in them", waited),
        ("saving", "Saving checkpoints", saved),
        ("between", "Between attempts", between),
    ]
    rest = total - sum(seconds for _, _, seconds in known)
    parts = [*known, ("unattributed", "Starting, validating, and steps not kept", rest)]
    return [(look, name, seconds) for look, name, seconds in parts if seconds > 0]


def _notes(history: History) -> list[str]:
    repeated = sum(item.repeated_steps for item in history.resumptions)
    return [f"{plural(repeated, 'step')} were lost with restarts and done again."] if repeated else []
