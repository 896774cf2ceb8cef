"""Finds in a driver's last log lines what a user needs to read, and cuts text to what a status may hold.

The last lines of a traceback say what went wrong, so text is cut at its beginning. It must not judge.
"""

from __future__ import annotations

import json
import re

from trainingrun.contract.records import AttemptEnded, parse_line

MAX_BYTES = 1024
_ELLIPSIS = "…"
# Terminal colours, and control characters that no log line needs and that terminals act on.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Ray's own first line; see ray.dashboard.modules.job.job_supervisor.
_RAYS_LEAD = re.compile(r"\AJob entrypoint command failed with exit code -?\d+(?:, last available logs[^\n]*\n|\. )?")
# The end of an AttemptEnded record that has lost its beginning to a limit on messages.
_TORN_RECORD = re.compile(r'^(?P<text>.*)","seconds":[-+.0-9eE]+\}$')
# The longest escape of JSON, which a cut may have torn: a surrogate pair.
_LONGEST_ESCAPE = 12


def driver_words(ray_message: str) -> str:
    """What the driver said at its end: its own record of it, or else the last lines of its log."""
    lines = _log_lines(ray_message)
    said = _end_record(lines)
    return last_words(said or "\n".join(line for line in lines if parse_line(line) is None))


def has_end_record(ray_message: str) -> bool:
    """Whether the driver has left the record of its end, as those do that keep to this project's exit codes."""
    return _end_record(_log_lines(ray_message)) is not None


def last_words(text: str, limit: int = MAX_BYTES) -> str:
    """The end of a text in at most `limit` bytes of UTF-8, from the beginning of a line if one is near."""
    text = _CONTROL.sub("", text.encode("utf-8", "replace").decode()).strip()
    whole = text.encode()
    if len(whole) <= limit:
        return text
    kept = whole[len(whole) - limit + len(_ELLIPSIS.encode()) :].decode("utf-8", "ignore")
    _, line_end, lines = kept.partition("\n")
    if line_end and len(lines.encode()) > limit // 2:
        kept = lines
    return _ELLIPSIS + kept


def joined(*parts: str) -> str:
    """Words as one text, without those that are empty. When it is too long, the last part loses its beginning."""
    given = [part for part in parts if part.strip()]
    lead = "".join(f"{part.strip()}: " for part in given[:-1])
    room = MAX_BYTES - len(lead.encode("utf-8", "replace"))
    if not given or room < MAX_BYTES // 4:
        return last_words(lead + "".join(given[-1:]))
    return lead + last_words(given[-1], room)


def _log_lines(ray_message: str) -> list[str]:
    return _RAYS_LEAD.sub("", ray_message).splitlines()


def _end_record(lines: list[str]) -> str | None:
    return next((said for line in reversed(lines) if (said := _said(line))), None)


def _said(line: str) -> str | None:
    """The message of a record that ends an attempt, even where the record's beginning is lost."""
    line = line.strip()
    record = parse_line(line) if line.startswith("{") else None
    if record is not None:
        return record.message if isinstance(record, AttemptEnded) else None
    torn = _TORN_RECORD.match(line)
    return _unescaped(torn["text"]) if torn else None


def _unescaped(text: str) -> str | None:
    for start in range(min(_LONGEST_ESCAPE, len(text))):
        try:
            return str(json.loads(f'"{text[start:]}"'))
        except ValueError:
            continue
    return None
