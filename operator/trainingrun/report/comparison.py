"""Several runs on one page: what was set differently, what came out, and their curves over each other.

Pure. Runs are told apart by their names, and by a number where names are the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainingrun.history import History
from trainingrun.history.figures import UNKNOWN, count, duration, metric, one_line, percent, plural, rate
from trainingrun.redaction import redacted
from trainingrun.report.axes import drawable, step_axis, value_axis
from trainingrun.report.charts import Chart, Table, grid, line, x_labels, y_labels
from trainingrun.report.curves import MOST_CHARTS
from trainingrun.report.interactive import chart_data
from trainingrun.report.series import Sample, metric_names, training_series, validation_series

_MOST_TEXT = 200
_NOT_SET = "-"


@dataclass(frozen=True)
class ComparisonView:
    """The page from top to bottom."""

    title: str
    results: Table
    settings: Table
    same_settings: str
    curves: Sequence[Chart]


def comparison_view(histories: Sequence[History]) -> ComparisonView:
    """The page of at most eight histories, each with at least one attempt."""
    names = _names(histories)
    settings = [_settings(history) for history in histories]
    keys = sorted({key for each in settings for key in each})
    differing = [key for key in keys if len({each.get(key) for each in settings}) > 1]
    return ComparisonView(
        title=f"{plural(len(histories), 'run')} compared",
        results=_results(names, histories),
        settings=Table(
            ("setting", *names), [(key, *(each.get(key, _NOT_SET) for each in settings)) for key in differing]
        ),
        same_settings=f"{plural(len(keys) - len(differing), 'setting')} are the same in all of them.",
        curves=_curves(names, histories),
    )


def _names(histories: Sequence[History]) -> list[str]:
    plain = [one_line(history.name or "") or "run without a name" for history in histories]
    often, seen = Counter(plain), Counter[str]()
    names = []
    for name in plain:
        seen[name] += 1
        names.append(f"{name} ({seen[name]})" if often[name] > 1 else name)
    return names


def _settings(history: History) -> dict[str, str]:
    """What a run was given, one text for each field, and the versions that it ran with."""
    started = history.started
    if started is None:
        return {}
    spec = started.configuration.get("spec")
    found = dict(_leaves(redacted(spec), "spec") if isinstance(spec, Mapping) else [])
    versions = {f"version of {one_line(name)}": one_line(version) for name, version in started.versions.items()}
    return {**found, **versions, "training workers": count(started.world_size)}


def _leaves(value: object, path: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        return [leaf for key, each in value.items() for leaf in _leaves(each, f"{path}.{one_line(str(key))}")]
    if isinstance(value, list) and value:
        return [leaf for at, each in enumerate(value) for leaf in _leaves(each, f"{path}[{at}]")]
    return [(path, one_line(str(value))[:_MOST_TEXT])]


def _results(names: Sequence[str], histories: Sequence[History]) -> Table:
    metrics = sorted(
        {name for history in histories for name in history.metrics},
        key=lambda name: (name.removeprefix("validation_") != "loss", name.removeprefix("validation_"), name),
    )
    rows = [
        ("outcome", *(one_line(h.ended.outcome) if h.ended else "no end recorded" for h in histories)),
        *(
            (one_line(name).replace("_", " "), *(metric(h.metrics.get(name)) for h in histories))
            for name in metrics[:MOST_CHARTS]
        ),
        ("epochs", *(f"{count(h.epochs_done)} of {count(h.total_epochs)}" for h in histories)),
        ("duration", *(duration(h.seconds) for h in histories)),
        ("throughput", *(rate(h.rows_per_second) for h in histories)),
        ("data stall", *(percent(h.stall.total_percent) if h.stall else UNKNOWN for h in histories)),
        ("goodput", *(percent(h.goodput_percent) for h in histories)),
        ("attempts", *(count(len(h.attempts)) for h in histories)),
    ]
    return Table(("", *names), rows, frozenset(range(1, len(names) + 1)))


def _curves(names: Sequence[str], histories: Sequence[History]) -> list[Chart]:
    wanted = dict.fromkeys(name for history in histories for name in metric_names(history))
    charts: list[Chart] = []
    for name in list(wanted)[:MOST_CHARTS]:
        for kind, series_of in (("training", training_series), ("validation", validation_series)):
            samples = [series_of(history, name) for history in histories]
            if any(samples):
                title = one_line(name).replace("_", " ")
                words = f"Validation {title}" if kind == "validation" else title[:1].upper() + title[1:]
                charts.append(_overlaid(f"metric-{len(charts)}", words, names, samples, "loss" in name))
    return charts[: 2 * MOST_CHARTS]


def _overlaid(name: str, title: str, names: Sequence[str], series: Sequence[list[Sample]], is_loss: bool) -> Chart:
    known = [(s.step, s.value) for samples in series for s in samples if drawable(s.value)]
    x = step_axis([int(step) for step, _ in known])
    y = value_axis([value for _, value in known], may_be_logarithmic=is_loss)
    looks = [f"run-{at}" for at in range(len(names))]
    lines = []
    for look, samples in zip(looks, series, strict=True):
        lines += line(look, [[(s.step, s.value) for s in samples if drawable(s.value)]], x, y)
    last = [(n, metric(samples[-1].value) if samples else UNKNOWN) for n, samples in zip(names, series, strict=True)]
    return Chart(
        name=name,
        title=title,
        description=f"{title} at the end: {', '.join(f'{run} {value}' for run, value in last)}.",
        unit="by training step" + (", logarithmic scale" if y.logarithmic else ""),
        shapes=[grid(y), *lines],
        x_labels=x_labels(x),
        y_labels=y_labels(y),
        legend=[(f"line {look}", run) for look, run, samples in zip(looks, names, series, strict=True) if samples],
        table=Table(("run", "last value"), last, frozenset({1})),
        data=chart_data(title, list(zip(names, looks, series, strict=True)), logarithmic=y.logarithmic),
    )
