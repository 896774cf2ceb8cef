"""Following the logs of a run from attempt to attempt until it has ended, through lost connections and new pods."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass, field

from trainingrun.client.log_lines import LinePrinter, Printer
from trainingrun.client.log_source import GROUPS, LogSource, NotYet, Unavailable
from trainingrun.client.outcome import outcome_of
from trainingrun.client.pod_log import sources_of
from trainingrun.client.problems import ClusterError
from trainingrun.client.session import Session
from trainingrun.kube import NotFound, Transient, Unauthorized
from trainingrun.kube.resources import TRAINING_RUNS
from trainingrun.status_page import AttemptView, RunView, run_view_of

_POLL_SECONDS = 2.0
# What the last lines need to arrive, once status says that the attempt is over.
_LAST_LINES_SECONDS = 3.0
# Every log that is followed to its end is cut off there, some time before status says so: only what lasts is news.
_CUT_SECONDS = 15.0
_ENDED = ("Complete", "Failed", "Suspended")


@dataclass(frozen=True)
class Following:
    """What to follow: `attempt` alone, or one after the other; the last `tail` lines first, or all."""

    groups: tuple[str, ...] = GROUPS
    attempt: int | None = None
    tail: int | None = None
    printer: Printer = field(default_factory=LinePrinter)


async def follow_run(session: Session, name: str, following: Following) -> int:
    """Print lines until the run, or the attempt, is over. Returns the exit code that the outcome means."""
    await session.run(name)
    follower = _Follower(session, name, following)
    try:
        return await follower.follow()
    finally:
        await follower.stop()


class _Follower:
    """One task per source, and a check of the run and its pods every few seconds."""

    def __init__(self, session: Session, name: str, following: Following):
        self._session = session
        self._name = name
        self._following = following
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._state = ""
        self._is_away = False

    async def follow(self) -> int:
        while True:
            try:
                ended = await self._look()
                self._is_away = False
            except Unauthorized:
                raise
            except Transient as error:
                if not self._is_away:
                    self._is_away = True
                    self._following.printer.note("", f"The API server does not respond, retrying: {error}")
                ended = None
            if ended is not None:
                code, sentence = ended
                if self._tasks:
                    await asyncio.wait(self._tasks.values(), timeout=_LAST_LINES_SECONDS)
                self._following.printer.note("", sentence)
                return code
            await asyncio.sleep(_POLL_SECONDS)

    async def stop(self) -> None:
        """End all tasks."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look(self) -> tuple[int, str] | None:
        try:
            view = run_view_of(await self._session.api.get(TRAINING_RUNS, self._session.namespace, self._name))
        except NotFound as error:
            raise ClusterError(f"{self._name} was deleted.") from error
        if view.state != self._state:
            self._state = view.state
            self._following.printer.note("", f"{self._name} {view.state}")
        attempt = attempt_of(view, self._following.attempt)
        if attempt is not None:
            await self._take_up(view, attempt)
        ended = outcome_of(view)
        if ended is None and self._following.attempt is not None and attempt and attempt.outcome in _ENDED:
            return 0, f"{self._name}: attempt {attempt.index} {attempt.outcome}"
        return ended

    async def _take_up(self, view: RunView, attempt: AttemptView) -> None:
        for source in await sources_of(self._session, view, attempt, self._following.groups):
            if source.key not in self._tasks:
                self._tasks[source.key] = asyncio.create_task(self._follow(source))

    async def _follow(self, source: LogSource) -> None:
        seen, said = 0, ""
        broken: float | None = None
        while True:
            try:
                async with aclosing(source.lines(follow=True, tail=self._following.tail, seen=seen)) as lines:
                    async for line in lines:
                        seen, broken = seen + 1, None
                        self._following.printer.line(source.label, line)
                if source.ends_with_stream:
                    return
            except Unavailable as error:
                self._following.printer.note(source.label, str(error))
                return
            except (NotYet, Transient) as error:
                broken = broken or time.monotonic()
                is_news = seen == 0 or time.monotonic() - broken > _CUT_SECONDS
                if is_news and str(error) != said:
                    said = str(error)
                    self._following.printer.note(source.label, said)
            await asyncio.sleep(_POLL_SECONDS)


def attempt_of(view: RunView, index: int | None) -> AttemptView | None:
    """The attempt of this number, or the newest one."""
    if index is None:
        return view.attempt
    return next((attempt for attempt in view.attempts if attempt.index == index), None)
