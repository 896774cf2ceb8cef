"""The Python client: runs in a cluster, from scripts and notebooks, by the same ways as the command line.

Each call connects anew, so that nothing has to be closed. It must not do anything that no command does.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from trainingrun.client.change import set_suspend
from trainingrun.client.deletion import delete_run, wait_until_gone
from trainingrun.client.log_following import Following, follow_run
from trainingrun.client.log_reading import attempt_named, read_logs
from trainingrun.client.log_source import DRIVER, GROUPS
from trainingrun.client.outcome import wait_for
from trainingrun.client.problems import ClusterError, RunFailed
from trainingrun.client.run import Run
from trainingrun.client.session import Session, connected
from trainingrun.client.submission import Submission
from trainingrun.contract.records import EpochEnded, parse_line
from trainingrun.kube import Body, NoCluster
from trainingrun.status_page import RunView, run_view_of

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
Work = Callable[[Session], Awaitable[T]]


class Client:
    """Runs in one namespace of one cluster: by default those of the kubeconfig's context, or of the pod.

    Every method raises `ClusterError` where the cluster cannot be reached or refuses.
    """

    def __init__(self, *, namespace: str | None = None, context: str | None = None, kubeconfig: str | None = None):
        self._namespace = namespace
        self._context = context
        self._kubeconfig = kubeconfig

    def submit(self, run: Run | str | Path, *, dry_run: bool = False, force: bool = False) -> RemoteRun:
        """Create the run, or the one in a file. With `dry_run` the API server only checks it.

        `force` takes over fields that other tools own.
        """
        wanted = run if isinstance(run, Run) else Run.from_file(run)

        async def work(session: Session) -> Body:
            return await Submission(session, self._namespace, force=force, dry_run=dry_run).run(wanted.document)

        return self._remote(self._call(work))

    def get(self, name: str) -> RemoteRun:
        """The run of this name. Without one, the error suggests similar names."""
        return self._remote(self._call(lambda session: session.run(name)))

    def list(self, selector: str = "") -> list[RemoteRun]:
        """The runs of the namespace, by name; `selector` are labels, such as `team=vision`."""
        return [self._remote(body) for body in self._call(lambda session: session.runs(selector))]

    def _remote(self, body: Body) -> RemoteRun:
        namespace = str(body["metadata"].get("namespace") or self._namespace or "default")
        there = Client(namespace=namespace, context=self._context, kubeconfig=self._kubeconfig)
        return RemoteRun(there, str(body["metadata"]["name"]), namespace)

    def _call(self, work: Work[T]) -> T:
        """Do the work in the cluster, also where an event loop runs already, as in notebooks."""
        connection = connected(
            work,
            "trainingrun",
            kubeconfig=self._kubeconfig,
            context=self._context,
            namespace=self._namespace,
        )
        try:
            return _run(connection)
        except NoCluster as error:
            raise ClusterError(f"{error}. Choose a cluster: Client(context=..., kubeconfig=...).") from error


class RemoteRun:
    """A run in a cluster. What it says is asked for anew each time."""

    def __init__(self, client: Client, name: str, namespace: str):
        self._client = client
        self.name = name
        self.namespace = namespace

    @property
    def status(self) -> RunView:
        """The run as it is now: `state`, `percent`, `metrics`, `stall`, `attempts`, `checkpoint` and more."""
        return self._client._call(self._view)

    async def _view(self, session: Session) -> RunView:
        return run_view_of(await session.run(self.name))

    def wait(self, timeout: float | None = None) -> RunView:
        """Wait until the run is complete, and give its status. `timeout` in seconds.

        Raises `RunFailed` where it failed or is suspended, and TimeoutError.
        """

        async def work(session: Session) -> tuple[int, str]:
            async with asyncio.timeout(timeout):
                return await wait_for(session, self.name, None, None, _ignore)

        self._end(*self._client._call(work))
        return self.status

    def follow(self) -> RemoteRun:
        """Print states and logs until the run has ended. Raises `RunFailed` where it failed or is suspended."""
        code = self._client._call(lambda session: follow_run(session, self.name, Following()))
        if code:
            self._end(code, f"{self.name} {self.status.state}")
        return self

    def _end(self, code: int, sentence: str) -> None:
        if code:
            raise RunFailed(code, sentence)

    def logs(self, groups: Sequence[str] = GROUPS, *, attempt: int | None = None, tail: int | None = None) -> str:
        """The logs of an attempt, the newest if none is named: lines with their sources.

        `groups` are some of driver, head, data and trainer; `tail` is the most lines of each process.
        """
        written = _Lines()
        following = Following(tuple(groups), attempt, tail, written)
        self._client._call(lambda session: self._read(session, following))
        return "".join(f"{label} | {line}\n" for label, line in written.lines)

    def metrics(self, *, attempt: int | None = None) -> pandas.DataFrame | list[dict[str, Any]]:
        """What was measured in each epoch of an attempt, the newest if none is named: its driver's records.

        A row has `attempt`, `epoch` (from 1), `step`, `rows`, `seconds`, `stall_percent`, and the metrics by name. A
        DataFrame where pandas is installed, else a list. The driver's log is there as long as its Ray cluster.
        """
        written = _Lines()
        following = Following((DRIVER,), attempt, None, written)
        index = self._client._call(lambda session: self._read(session, following))
        records = [parse_line(line) for _, line in written.lines if line.startswith("{")]
        rows = [
            {
                "attempt": index,
                "epoch": record.epoch + 1,
                "step": record.step,
                "rows": record.rows,
                "seconds": record.seconds,
                "stall_percent": record.stall.total_percent if record.stall else None,
                **record.metrics,
            }
            for record in records
            if isinstance(record, EpochEnded)
        ]
        try:
            from pandas import DataFrame
        except ImportError:
            return rows
        return DataFrame(rows)

    async def _read(self, session: Session, following: Following) -> int:
        """Read the logs, and give the attempt's number."""
        view = await self._view(session)
        attempt = attempt_named(view, following.attempt, session.caller)
        await read_logs(session, view, attempt, following)
        return attempt.index

    def suspend(self) -> RemoteRun:
        """Have the run save a checkpoint and release its pods."""
        self._client._call(lambda session: set_suspend(session, self.name, True))
        return self

    def resume(self) -> RemoteRun:
        """Let the suspended run continue from its last checkpoint."""
        self._client._call(lambda session: set_suspend(session, self.name, False))
        return self

    def delete(self, *, wait: bool = False) -> None:
        """Remove the run; its storage is kept. With `wait`, return when its pods are gone too."""

        async def work(session: Session) -> None:
            uid = await delete_run(session, self.name)
            if wait:
                await wait_until_gone(session, uid, _ignore)

        self._client._call(work)

    def __repr__(self) -> str:
        return f"RemoteRun({self.namespace}/{self.name})"


class _Lines:
    """Keeps lines for a program, and nothing that is only said on the way to them."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def line(self, label: str, text: str) -> None:
        self.lines.append((label, text))

    def note(self, label: str, text: str) -> None:
        pass


def _ignore(words: object) -> None:
    pass


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end: in this thread, or in one of its own where a loop runs in this one."""
    try:
        running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is None:
        return asyncio.run(work)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    finally:
        future.cancel()  # Only an interruption finds it unfinished.
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
