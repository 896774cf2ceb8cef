"""Decides how many data nodes a run wants, from how long trainers wait and how busy data workers are.

The group grows while trainers wait for rows although data workers are busy. Every growth must prove itself: without
more rows a second it is undone, and not tried again under the same load. What is idle is given back. Under a load that
stays the same the number settles: no size that was once too small is gone back to. Pure: it neither measures, see
`load`, nor asks anybody for nodes, see `autoscale`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from trainingrun_trainer.pool import sizing_words as words
from trainingrun_trainer.pool.load import PRODUCTION, Figures, Load, Meter

# Nodes beyond what the mean load needs, as both the trainers' pace and the cost of rows vary: when growing, and what
# is left when giving back. The second is larger, lest the group grow again.
_HEADROOM_GROWING = 1.1
_HEADROOM_LEFT = 1.2
# Data workers that are less busy than this are not what holds trainers up.
_BUSY = 0.75
# A growth is worth its nodes if it makes so many more rows, or half of the rise that could be expected if that is less.
_WORTHWHILE = 0.10
_LEAST_OF_EXPECTED = 0.5
# So many measurements in a row show that nodes are idle; a stall near the target must be seen twice.
_IDLE_MEASUREMENTS = 5
# So many measurements together show that a growth has brought nothing: what is undone is not tried again for long.
_VAIN_MEASUREMENTS = 5
_CLEARLY = 2
# A load is another one when the trainers' pace or the cost of a row has changed by this factor, and has become less
# when both together have by this one.
_OTHER_LOAD = 1.5
_LESS_WORK = 0.8
# Nodes that are not there after so many seconds are worth a word, and so is a load that nobody can measure.
_PATIENCE_SECONDS = 30.0
_UNMEASURED_SECONDS = 300.0


@dataclass(frozen=True)
class Limits:
    """Data nodes that the group has at least and at most, and the stall to aim for in percent.

    `can_grow` says whether somebody brings nodes; `most` is `least` otherwise, and all that is done is to advise.
    """

    least: int
    most: int
    target_stall_percent: float

    @property
    def can_grow(self) -> bool:
        """Whether there is anything to decide."""
        return self.most > self.least


@dataclass(frozen=True)
class Wanted:
    """The decision. `reason` is a sentence of at most 256 characters.

    `gain_percentage` is how many more rows a second the last growth is expected to bring, or has brought once it has
    been measured; None before the first.
    """

    nodes: int
    reason: str
    gain_percentage: int | None = None


@dataclass(frozen=True)
class Trial:
    """A growth that has to prove itself against the load `before`.

    `seen` is what has not proved it so far, in `looks` measurements.
    """

    before: Load
    seen: Load | None = None
    looks: int = 0

    def expected_gain(self, nodes: int) -> float:
        """By which share the rate can be expected to rise with so many nodes."""
        before = self.before
        return min(before.demand / before.rate, max(nodes / before.nodes, 1.0)) - 1

    def gain(self, load: Load) -> float:
        """By which share the rate has risen."""
        return load.rate / self.before.rate - 1


@dataclass(frozen=True)
class State:
    """What is remembered between decisions.

    `refused`: growing from this load has brought nothing, as `refusal` says; `undone`: how often that was so.
    `shortage`: a load under which its nodes were too few. `idle_needs`: of the last measurements in a row, all of which
    found idle nodes, the nodes that would have sufficed. `measured_time`: when one was made, or training began.
    """

    limits: Limits
    wanted: int
    reason: str = words.UNMEASURED
    gain_percentage: int | None = None
    meter: Meter = field(default_factory=Meter)
    trial: Trial | None = None
    refused: Load | None = None
    refusal: str = ""
    undone: int = 0
    shortage: Load | None = None
    stalls: int = 0
    idle_needs: tuple[int, ...] = ()
    missing_since: float | None = None
    measured_time: float | None = None


def begin(limits: Limits) -> State:
    """The state of a run that begins with the least number of nodes."""
    return State(limits, limits.least)


def decide(state: State, figures: Figures, now: float) -> tuple[State, Wanted]:
    """What the run wants `now`, in seconds of any clock that goes on; call it with every report of the trainers."""
    meter, load = state.meter.after(figures, now)
    is_missing = figures.nodes < state.wanted
    missing_since = (now if state.missing_since is None else state.missing_since) if is_missing else None
    is_new = load is not None or (state.measured_time is None and meter.has_begun)
    measured_time = now if is_new else state.measured_time
    state = replace(state, meter=meter, missing_since=missing_since, measured_time=measured_time)
    if load is not None:
        state = _judged(_reminded(state, load), load)
    reason = state.reason
    if missing_since is not None and now - missing_since >= _PATIENCE_SECONDS and figures.nodes < state.wanted:
        reason = words.missing(state.wanted, state.wanted - figures.nodes, now - missing_since)
    elif measured_time is not None and now - measured_time >= _UNMEASURED_SECONDS:
        reason = words.unmeasured(now - measured_time)
    return state, Wanted(state.wanted, reason, state.gain_percentage)


def _reminded(state: State, load: Load) -> State:
    """Without what was learnt about another load than this."""
    refused, shortage = state.refused, state.shortage
    # Each growth that was in vain asks for more evidence before the next: measurements scatter.
    factor = _OTHER_LOAD**state.undone
    if refused is not None and (
        _differ(load.demand, refused.demand, factor) or _differ(load.row_seconds, refused.row_seconds, factor)
    ):
        refused = None
    if shortage is not None and _work(load) < _LESS_WORK * _work(shortage):
        shortage = None
    return replace(state, refused=refused, shortage=shortage)


def _judged(state: State, load: Load) -> State:
    if _is_fed(state, load) and load.is_from_stock:
        # Whether trainers would wait without it is not known, and will be when it is used up.
        return replace(state, reason=words.stocked(load))
    trial = state.trial
    if trial is not None and load.nodes > trial.before.nodes:
        seen = load if trial.seen is None or trial.seen.nodes != load.nodes else trial.seen.plus(load)
        if _is_fed(state, load) or trial.gain(seen) >= _least_gain(trial, load.nodes):
            state = _proved(state, trial, load, trial.gain(seen))
        elif (looks := 1 if seen is load else trial.looks + 1) < _VAIN_MEASUREMENTS:
            return replace(state, trial=replace(trial, seen=seen, looks=looks), reason=words.checking(load.nodes))
        else:
            return _undone(state, trial, seen)
    return _fed(state, load) if _is_fed(state, load) else _stalled(state, load)


def _is_fed(state: State, load: Load) -> bool:
    return 100 * load.stall <= state.limits.target_stall_percent


def _least_gain(trial: Trial, nodes: int) -> float:
    return min(_WORTHWHILE, _LEAST_OF_EXPECTED * trial.expected_gain(nodes))


def _proved(state: State, trial: Trial, load: Load, gain: float) -> State:
    """The growth was right, as far as it has come; what is still to come must prove itself against this."""
    rest = Trial(load) if load.nodes < state.wanted else None
    return replace(state, trial=rest, shortage=trial.before, gain_percentage=round(100 * gain))


def _undone(state: State, trial: Trial, seen: Load) -> State:
    nodes, gain = trial.before.nodes, trial.gain(seen)
    reason = words.undone(nodes, seen.nodes, gain)
    return replace(
        state,
        wanted=max(nodes, state.limits.least),
        trial=None,
        refused=trial.before,
        refusal=reason,
        undone=state.undone + 1,
        stalls=0,
        reason=reason,
        gain_percentage=round(100 * gain),
    )


def _stalled(state: State, load: Load) -> State:
    """Trainers wait too long: grow if that helps, and say what helps if it does not."""
    state = replace(state, idle_needs=(), stalls=state.stalls + 1)
    limits, need = state.limits, _need(load)
    if load.cause not in (PRODUCTION, ""):
        return replace(state, reason=words.elsewhere(load))
    if load.busy < _BUSY:
        return replace(state, reason=words.idle_workers(load))
    if state.refused is not None:
        return replace(state, reason=state.refusal)
    if load.nodes < state.wanted:
        return replace(state, reason=words.growing(load, state.wanted, max(need, state.wanted)))
    if load.nodes >= limits.most:
        return replace(state, reason=words.at_most(load, need, limits.most, can_grow=limits.can_grow))
    if 100 * load.stall < _CLEARLY * limits.target_stall_percent and state.stalls < _CLEARLY:
        return replace(state, reason=words.watching(load))
    to, trial = min(need, 2 * load.nodes, limits.most), Trial(load)
    gain = round(100 * trial.expected_gain(to))
    return replace(state, wanted=to, trial=trial, stalls=0, reason=words.growing(load, to, need), gain_percentage=gain)


def _fed(state: State, load: Load) -> State:
    """Trainers need not wait: give back what has been idle for long, also what has not even come."""
    need = max(1, math.ceil(_HEADROOM_LEFT * load.nodes * load.busy))
    if state.shortage is not None:
        need = max(need, state.shortage.nodes + 1)
    need = max(need, state.limits.least, math.ceil(state.wanted / 2))
    is_idle = need < state.wanted and _CLEARLY * 100 * load.stall <= state.limits.target_stall_percent
    state = replace(state, stalls=0, idle_needs=(*state.idle_needs, need) if is_idle else ())
    if len(state.idle_needs) < _IDLE_MEASUREMENTS:
        return replace(state, reason=words.keeps_up(load))
    to = max(state.idle_needs)
    rest = state.trial if state.trial is not None and to > state.trial.before.nodes else None
    return replace(state, wanted=to, trial=rest, idle_needs=(), reason=words.gave_back(state.wanted, to, load))


def _need(load: Load) -> int:
    """Nodes that would make rows as fast as trainers take them; more than there are."""
    return max(load.nodes + 1, math.ceil(_HEADROOM_GROWING * load.demand / load.rate_per_node))


def _work(load: Load) -> float:
    """Data CPUs that the trainers' pace keeps busy."""
    return load.demand * load.row_seconds


def _differ(one: float, other: float, factor: float) -> bool:
    return max(one, other) > factor * min(one, other)
