"""Spans of time as kubectl writes them in its tables. Sentences use `history.figures.duration` instead."""

from __future__ import annotations

from datetime import datetime

_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def age(since: datetime | None, now: datetime) -> str:
    """The time from `since` to `now`, as in kubectl's column AGE: `45s`, `5m30s`, `3h12m`, `5d`."""
    return "<unknown>" if since is None else _short(max(0, int((now - since).total_seconds())))


def _short(seconds: int) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    # Up to where the second unit is left out: kubectl's own limits (k8s.io/apimachinery, duration.HumanDuration).
    for limit, large, large_name, small, small_name in (
        (10 * _MINUTE, _MINUTE, "m", 1, "s"),
        (3 * _HOUR, _MINUTE, "m", 0, ""),
        (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
        (2 * _DAY, _HOUR, "h", 0, ""),
        (8 * _DAY, _DAY, "d", _HOUR, "h"),
        (2 * _YEAR, _DAY, "d", 0, ""),
        (8 * _YEAR, _YEAR, "y", _DAY, "d"),
    ):
        if seconds < limit:
            rest = seconds % large // small if small else 0
            return f"{seconds // large}{large_name}" + (f"{rest}{small_name}" if rest else "")
    return f"{seconds // _YEAR}y"
