"""Reading the logs that an attempt has now, one source after the other."""

from __future__ import annotations

from contextlib import aclosing

from trainingrun.client.log_following import Following, attempt_of
from trainingrun.client.log_source import NotYet, Unavailable
from trainingrun.client.pod_log import sources_of
from trainingrun.client.problems import ClusterError, NoLogs
from trainingrun.client.session import Session
from trainingrun.kube import Transient
from trainingrun.status_page import AttemptView, Caller, RunView


async def read_logs(session: Session, view: RunView, attempt: AttemptView, following: Following) -> None:
    """Give the printer what there is. Raises `NoLogs` where none can be read."""
    sources = await sources_of(session, view, attempt, following.groups)
    is_read = False
    for source in sources:
        try:
            async with aclosing(source.lines(follow=False, tail=following.tail)) as lines:
                async for line in lines:
                    following.printer.line(source.label, line)
            is_read = True
        except (NotYet, Unavailable, Transient) as error:
            following.printer.note(source.label, str(error))
    if not is_read:
        raise NoLogs(_nothing(view, attempt))


def attempt_named(view: RunView, index: int | None, caller: Caller) -> AttemptView:
    """The attempt of this number, or the newest one. Raises `ClusterError` where there is none."""
    attempt = attempt_of(view, index)
    if attempt is not None:
        return attempt
    if index is None:
        raise ClusterError(f"{view.name} has no attempt yet ({view.state}); {caller.command('status', view)} says why.")
    known = ", ".join(str(entry.index) for entry in view.attempts) or "none"
    raise ClusterError(f"{view.name} has no attempt {index}; known attempts: {known}.")


def _nothing(view: RunView, attempt: AttemptView) -> str:
    words = f" Its last message: {attempt.message}" if attempt.message else ""
    return (
        f"Attempt {attempt.index} of {view.name} ({attempt.outcome}) has no logs that can be read now. Its pods may be "
        f"gone.{words}"
    )
