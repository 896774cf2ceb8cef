"""Cuts a traceback down to the lines that its reader wrote.

Must never lose the exception's own message or its causes, and must show everything when no frame is the user's.
"""

from __future__ import annotations

import json
import traceback
from pathlib import Path

# Frames of these packages mean nothing to a user whose function failed.
_HIDDEN = ("ray", "trainingrun_trainer", "trainingrun", "torch")
_PACKAGE = Path(__file__).parents[1]
_LEAD = 1000
_MOST_ESCAPED = 6_000


def user_traceback(error: BaseException) -> str:
    """The traceback of `error` as text, without the frames of Ray, torch and this package."""
    rendered = traceback.TracebackException.from_exception(error)
    _keep_user_frames(rendered)
    return "".join(rendered.format()).rstrip()


def last_lines_first(text: str) -> str:
    """A message as short as its readers need it, with the most important part first.

    The operator shows the first kibibyte of it, and finds it in the last 20,000 characters of a log, as JSON.
    """
    if len(text) <= _LEAD:
        return text
    lead = text[max(text.rfind('\n  File "'), 0) :].lstrip("\n")[:_LEAD].rstrip()
    rest = text
    while len(json.dumps(rest)) > _MOST_ESCAPED:
        rest = rest[: len(rest) // 2]
    cut = "" if rest == text else "\n(truncated; the full text is in the driver's log)"
    return f"{lead}\n\nIn full:\n{rest}{cut}"


def _keep_user_frames(rendered: traceback.TracebackException) -> None:
    kept = [frame for frame in rendered.stack if not _is_hidden(frame.filename)]
    if kept:
        rendered.stack = traceback.StackSummary.from_list(kept)
    for linked in (rendered.__cause__, rendered.__context__):
        if linked is not None:
            _keep_user_frames(linked)


def _is_hidden(filename: str) -> bool:
    path = Path(filename)
    if _PACKAGE in path.parents or filename.startswith("<"):
        return True
    parts = path.parts
    return any(
        part in ("site-packages", "dist-packages") and parts[index + 1] in _HIDDEN
        for index, part in enumerate(parts[:-1])
    )
