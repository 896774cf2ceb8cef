"""Axes: the position of a value on a chart, and the round numbers next to it.

Pure arithmetic. Positions are fractions from 0 to 1 along the axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from trainingrun.history.figures import duration, percent, short

# Beyond this, differences of two values overflow; such a value is drawn as not finite.
LARGEST = 1e150
_SMALLEST = 1e-150
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True)
class Axis:
    """A range of values and its ticks, `(fraction, label)`."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...] = ()
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where `value` lies, from 0 at `low` to 1 at `high`."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return min(max((value - low) / (high - low), 0.0), 1.0)


def drawable(value: float | None) -> bool:
    """Whether the value has a place on an axis."""
    return isinstance(value, (int, float)) and -LARGEST <= value <= LARGEST


def value_axis(values: Iterable[float], may_be_logarithmic: bool = False) -> Axis:
    """An axis around the values with a little room; logarithmic where they span more than two decades."""
    known = list(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    if may_be_logarithmic and low > 0 and high / low > 100:
        return _logarithmic(low, high)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    bottom = 0.0 if 0 <= low < 0.4 * high else low - room
    return _with_ticks(bottom, high + room, _round_step(high + room - bottom, 4), _number_label)


def share_axis(highest: float) -> Axis:
    """An axis in percent from 0, to at least 10 and at most 100."""
    top = min(max(highest * 1.08, 10.0), 100.0)
    return _with_ticks(0.0, top, _round_step(top, 4), lambda value, step: percent(value).replace(".0%", "%"))


def rate_axis(highest: float) -> Axis:
    """An axis from 0 for amounts that cannot be negative."""
    top = highest * 1.08 if highest > _SMALLEST else 1.0
    return _with_ticks(0.0, top, _round_step(top, 4), lambda value, step: short(value))


def step_axis(steps: Iterable[int]) -> Axis:
    """An axis over training steps, from 0 unless the first step is far from it."""
    known = [step for step in steps if drawable(step)] or [0, 1]
    low = 0 if min(known) < 0.3 * max(known) else min(known)
    high = max(*known, low + 1)
    return _with_ticks(low, high, max(_round_step(high - low, 5), 1.0), lambda value, step: short(value))


def time_axis(seconds: float) -> Axis:
    """An axis from 0 over a run's time in seconds."""
    high = max(seconds, 1.0)
    days = math.ceil(high / 86400 / 5) * 86400
    step = next((float(step) for step in _TIME_STEPS if high / step <= 6), float(days))
    return _with_ticks(0.0, high, step, lambda value, _: duration(value) if value else "0")


def _with_ticks(low: float, high: float, step: float, label: Callable[[float, float], str]) -> Axis:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    axis = Axis(low, high)
    ticks = tuple((axis.at(i * step), label(i * step, step)) for i in range(first, last + 1))
    return Axis(low, high, ticks)


def _round_step(span: float, wanted: int) -> float:
    """The round distance (1, 2 or 5 times a power of ten) that gives about `wanted` ticks."""
    raw = max(span / wanted, _SMALLEST)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.75)


def _number_label(value: float, step: float) -> str:
    if abs(value) >= 1000 and step >= 10:
        return short(value)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{decimals}f}" if decimals <= 5 and abs(value) < 1e6 else f"{value:.3g}"


def _logarithmic(low: float, high: float) -> Axis:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    axis = Axis(low / 1.15, high * 1.15, logarithmic=True)
    every = math.ceil((last - first + 1) / 6)
    powers = [10.0**power for power in range(first, last + 1, every)]
    inside = [power for power in powers if axis.low <= power <= axis.high]
    return Axis(axis.low, axis.high, tuple((axis.at(power), f"{power:g}") for power in inside), True)
