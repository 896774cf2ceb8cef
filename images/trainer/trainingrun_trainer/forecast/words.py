"""A forecast as a page of text, 80 columns wide, and as plain JSON values. Pure."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any

from trainingrun.history.figures import duration, percent, plural, rate, size
from trainingrun_trainer.forecast.model import Forecast

_WIDTH = 80
_LABEL = 21
_ASSUMED = (
    "It assumes that the data group's CPUs are as fast as this one and that reading is as fast from there. Exchanging "
    "gradients between trainers and validation are not included."
)


def page(forecast: Forecast, measured: str) -> str:
    """The text; `measured` says what the numbers were taken from, in a sentence."""
    lines = [*_wrapped(measured), "", *_costs(forecast), "", *_flow(forecast), "", *_advice(forecast)]
    return "\n".join([*lines, "", *_wrapped(_ASSUMED)])


def document(forecast: Forecast, measured: str) -> dict[str, Any]:
    """The same as plain JSON values."""
    costs, shape = forecast.costs, forecast.shape
    values = {
        field.name: getattr(forecast, field.name)
        for field in dataclasses.fields(forecast)
        if field.name not in ("costs", "shape")
    }
    return {
        "measured": measured,
        "secondsPerRow": costs.parts,
        "bytesPerRow": {"read": costs.stored_bytes, "made": costs.made_bytes},
        "rowsMadePerRow": costs.kept,
        "trainers": shape.trainers,
        "dataNodes": shape.data_nodes,
        "dataWorkersPerNode": shape.workers_per_node,
        **{_camel(name): value for name, value in values.items()},
        "objectStoreBudgetPerNode": shape.budget_bytes_per_node,
    }


def _costs(forecast: Forecast) -> list[str]:
    costs = forecast.costs
    width = max(len(part) for part in (*costs.parts, "all of it"))
    lines = ["What a row costs a data CPU:"]
    for part, seconds in (*costs.parts.items(), ("all of it", costs.seconds)):
        lines.append(f"  {part.ljust(width)}  {seconds * 1000:10.4f} ms  {seconds / costs.seconds * 100:5.1f}%")
    return lines


def _flow(forecast: Forecast) -> list[str]:
    costs, shape = forecast.costs, forecast.shape
    needed = "not known" if forecast.rows_per_second_needed is None else rate(forecast.rows_per_second_needed)
    workers = f"{plural(shape.data_nodes, 'node')} of {plural(shape.workers_per_node, 'data worker')}"
    wanted, _cpus = forecast.nodes_wanted, plural(forecast.cpus_wanted or 0, "data CPU")
    rows = [
        ("bytes of a row", f"{size(costs.stored_bytes)} as it is read, {size(costs.made_bytes)} as it is made"),
        ("trainers take", f"{needed} ({plural(shape.trainers, 'trainer')})"),
        ("the data group makes", f"{rate(forecast.rows_per_second_had)} ({workers})"),
        ("a data CPU makes", rate(forecast.rows_per_second_per_cpu)),
        ("data stall", "not known" if forecast.stall_percent is None else percent(forecast.stall_percent)),
        (
            f"stall below {shape.target_stall_percent:g}%",
            "not known"
            if wanted is None
            else f"{plural(wanted, 'data node')} ({plural(forecast.cpus_wanted or 0, 'data CPU')})",
        ),
        ("an epoch takes", "not known" if forecast.epoch_seconds is None else duration(forecast.epoch_seconds)),
        ("sent to trainers", f"{size(forecast.bytes_per_second)} a second"),
        (
            "object store",
            f"{size(forecast.held_bytes_per_node)} of the {size(shape.budget_bytes_per_node)} that each node has",
        ),
    ]
    return [f"{label.ljust(_LABEL)}{text}" for label, text in rows]


def _advice(forecast: Forecast) -> list[str]:
    costs, shape = forecast.costs, forecast.shape
    costliest = max(costs.parts, key=lambda part: costs.parts[part])
    lines = []
    if forecast.rows_per_second_needed is None:
        lines.append("How fast trainers are is not known here: give it with --trainer-rate.")
    elif forecast.nodes_wanted is None:
        lines.append(
            f"{forecast.cpus_wanted} data CPUs are needed, and the steps' concurrency allows {shape.max_workers} data "
            "workers: raise it, or make the steps cheaper."
        )
    elif forecast.nodes_wanted > shape.data_nodes:
        lines.append(
            f"Set spec.data.numNodes to {forecast.nodes_wanted}, or let the group grow with spec.data.maxNodes."
        )
    else:
        spare = shape.data_nodes - forecast.nodes_wanted
        more = f"; {plural(spare, 'data node')} fewer would do" if spare else ""
        lines.append(f"The data group is large enough{more}.")
    share = f"{costliest} is {percent(100 * costs.parts[costliest] / costs.seconds)} of a row's cost"
    if costliest in forecast.nodes_if_halved:
        nodes = plural(forecast.nodes_if_halved[costliest], "data node")
        lines.append(f"Make {costliest} cheaper first: {share}; at half of it {nodes} would do.")
    if forecast.held_bytes_per_node > shape.budget_bytes_per_node:
        lines.append("The object store is too small for that: raise memory in spec.data.resourcesPerNode.")
    return [line for text in lines for line in _wrapped(text)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
