"""What a run's status says about the size of its data group: sentences for people, of at most 256 characters.

They claim only what was measured, and name the field to change where that helps.
"""

from __future__ import annotations

from trainingrun_trainer.pool.load import Load

UNMEASURED = "How hard the data group works has not been measured yet."

_ELSEWHERE = {
    "Transfer": "batches take long over the network: send fewer bytes per row, or raise recipe.dataset.prefetchBatches",
    "Collate": "the trainers' own CPUs collate: move work from recipe.collate to the transforms, or add trainer CPUs",
}


def keeps_up(load: Load) -> str:
    """Nothing needs to change."""
    return f"{_nodes(load.nodes)} {_s(load.nodes, 'keeps', 'keep')} up: trainers wait {_measured(load)}."


def stocked(load: Load) -> str:
    """What trainers take is more than what data workers make now."""
    return (
        f"Trainers wait {_percent(load.stall)} of the time, as {_percent(1 - load.made)} of their rows were made "
        "before; the data group stays as it is while these last."
    )


def unmeasured(seconds: float) -> str:
    """There was nothing that could be judged."""
    return (
        f"How hard the data group works could not be measured for {_time(seconds)}: too little was made and trained on "
        "one and the same number of data nodes; it stays as it is."
    )


def watching(load: Load) -> str:
    """The next measurement decides."""
    return f"Trainers wait {_measured(load)}; if that goes on, the data group grows."


def growing(load: Load, to: int, need: int) -> str:
    """More nodes have been asked for; `need` may be more still."""
    more = f"; {need} may be needed" if need > to else ""
    return f"Growing from {load.nodes} to {_nodes(to)}{more}: trainers wait {_measured(load)}."


def checking(nodes: int) -> str:
    """The growth has not shown its worth at first sight."""
    return f"{_nodes(nodes)} have not made more rows a second so far; the next measurements decide whether they stay."


def undone(before: int, after: int, gain: float) -> str:
    """The growth was not worth its nodes."""
    return (
        f"The growth from {before} to {_nodes(after)} is undone: rows a second rose by {max(round(100 * gain), 0)} % "
        "only, so that more data nodes do not help."
    )


def at_most(load: Load, need: int, most: int, *, can_grow: bool) -> str:
    """The group may not grow further."""
    field, remedy = ("maxNodes", "raise it") if can_grow else ("numNodes", "raise it, let the group grow with maxNodes")
    return (
        f"Trainers wait {_measured(load)}: {need} data nodes would be needed, but data.{field} is {most}; "
        f"{remedy}, or make the transforms cheaper."
    )


def idle_workers(load: Load) -> str:
    """It is not the data nodes' CPUs that trainers wait for."""
    return f"Trainers wait {_measured(load)} only, so that more data nodes would not help."


def elsewhere(load: Load) -> str:
    """Rows are made fast enough."""
    why = _ELSEWHERE.get(load.cause, f"of {load.cause[:64]}")
    return f"Trainers wait {_percent(load.stall)} of the time, mainly because {why}; more data nodes would not help."


def gave_back(before: int, to: int, load: Load) -> str:
    """Some nodes were not needed."""
    return f"{to} of {_nodes(before)} suffice and the rest is given back: trainers wait {_measured(load)}."


def missing(wanted: int, nodes: int, seconds: float) -> str:
    """Nodes that were asked for have not come."""
    since = _time(seconds)
    return f"{nodes} of {_nodes(wanted)} {_s(nodes, 'is', 'are')} missing for {since}: see the pods of the group."


def _measured(load: Load) -> str:
    return f"{_percent(load.stall)} of the time, data workers are busy {_percent(load.busy)}"


def _nodes(count: int) -> str:
    return f"{count} data {_s(count, 'node', 'nodes')}"


def _s(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def _time(seconds: float) -> str:
    return f"{int(seconds // 60)} min" if seconds >= 60 else "less than a minute"


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"
