"""The chart of attempts over a run's time, with checkpoints and worker restarts."""

from __future__ import annotations

from trainingrun.history import AttemptHistory, History
from trainingrun.history.figures import count, duration, one_line, plural
from trainingrun.report.axes import Axis
from trainingrun.report.charts import PLANE, Chart, Label, Shape, Table, box, dots, place_x, upright, x_labels
from trainingrun.report.over_time import begin_of, run_axis

MOST_ATTEMPTS = 20
_ATTEMPT_HEIGHT = 34
_LEGEND = (
    ("dot checkpoint", "checkpoint"),
    ("dot best", "best checkpoint"),
    ("event lost-workers", "worker restart"),
)


def attempts_chart(history: History) -> Chart:
    """One bar for each of the newest attempts, with checkpoints and restarts on it."""
    x, begin = run_axis(history), begin_of(history)
    shown = history.attempts[-MOST_ATTEMPTS:]
    row = PLANE / len(shown)
    shapes: list[Shape] = []
    for index, attempt in enumerate(shown):
        shapes += _attempt_shapes(history, attempt, x, begin, index * row, row)
    hidden = len(history.attempts) - len(shown)
    notes = [f"The first {plural(hidden, 'attempt')} are in the table only."] if hidden else []
    return Chart(
        name="attempts",
        title="Timeline",
        description=f"{plural(len(history.attempts), 'attempt')} over {duration(history.seconds)}.",
        unit="by time since the start",
        shapes=shapes,
        x_labels=x_labels(x),
        y_labels=[
            Label(f"{(index + 0.5) * 100 / len(shown):.2f}", f"#{attempt.number}")
            for index, attempt in enumerate(shown)
        ],
        legend=[(look, label) for look, label in _LEGEND if any(shape.look == look for shape in shapes)],
        table=Table((), ()),
        height=_ATTEMPT_HEIGHT * len(shown),
        notes=notes,
    )


def _attempt_shapes(
    history: History, attempt: AttemptHistory, x: Axis, begin: float, top: float, row: float
) -> list[Shape]:
    outcome = attempt.ended.outcome if attempt.ended else "no end recorded"
    hint = f"attempt {attempt.number}: {one_line(outcome)} after {duration(attempt.seconds)}"
    look = "complete" if outcome == "Complete" else "running" if attempt.ended is None else "stopped"
    left, right = place_x(x, attempt.first_time - begin), place_x(x, attempt.last_time - begin)
    middle = top + row / 2
    shapes = [box(f"attempt {look}", left, max(right, left + 2), top + row * 0.2, top + row * 0.8, hint)]
    saved = [item for item in history.checkpoints if item.attempt == attempt.number]
    places = sorted({round(place_x(x, item.time - begin)) for item in saved})
    if places:
        shapes.append(dots("checkpoint", [(place, middle) for place in places]))
    best = history.best_checkpoint
    if best and best.attempt == attempt.number:
        placed = dots("best", [(place_x(x, best.time - begin), middle)])
        shapes.append(Shape(placed.look, placed.data, f"best checkpoint, step {count(best.step)}"))
    return shapes + [
        upright(
            "lost-workers",
            place_x(x, item.time - begin),
            one_line(item.reason),
            top + row * 0.1,
            top + row * 0.9,
        )
        for item in history.worker_restarts
        if item.attempt == attempt.number
    ]
