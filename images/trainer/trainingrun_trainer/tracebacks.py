"""Cuts a traceback down to the lines that its reader wrote.

Must never lose the exception's own message or its causes, and must show everything when no frame is the user's.
"""

from __future__ import annotations

import traceback
from pathlib import Path

# Frames of these packages say nothing to a person whose function failed.
_HIDDEN = ("ray", "trainingrun_trainer", "trainingrun", "torch")
_PACKAGE = Path(__file__).parent


def user_traceback(error: BaseException) -> str:
    """The traceback of `error` as text, without the frames of Ray, torch and this package."""
    rendered = traceback.TracebackException.from_exception(error)
    _keep_user_frames(rendered)
    return "".join(rendered.format()).rstrip()


def has_user_frame(error: BaseException) -> bool:
    """Whether any frame of `error` lies in code that is neither a library's nor this package's."""
    return any(not _is_hidden(frame.filename) for frame in traceback.extract_tb(error.__traceback__))


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
