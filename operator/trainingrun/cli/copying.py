"""What `download` and `upload` share: the place that a location names, progress on stderr, and their errors."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import click

from trainingrun.client.problems import ClusterError

if TYPE_CHECKING:
    from trainingrun.client.session import Session
    from trainingrun.transfer.locations import Location
    from trainingrun.transfer.places import Place, Show
    from trainingrun.transfer.pod import Image

_SECONDS_BETWEEN_LINES = 10.0


def ids_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--no-fixed-ids`, as the operator has it."""
    words = "Leave the pod's user and group to the cluster, as the operator's option of this name does for runs."
    return click.option("--no-fixed-ids", "fixed_ids", flag_value=False, default=True, help=words)(function)


def tell(sentence: str) -> None:
    """Say what the command waits for."""
    click.echo(sentence, err=True)


def end_as_by_interrupt() -> None:
    """Have a command that is ended otherwise clean up as after Ctrl-C: its pod must not stay."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


@contextmanager
def errors() -> Iterator[None]:
    """What ends a copy is shown as one sentence."""
    from trainingrun.transfer.places import TransferError

    try:
        yield
    except TransferError as error:
        raise ClusterError(str(error)) from error


@asynccontextmanager
async def places(
    session: Session | None,
    image: Image | None,
    *,
    read_only: bool,
    fixed_ids: bool,
    run: Mapping[str, Any] | None = None,
) -> AsyncIterator[Places]:
    """Opens locations; the pod of a claim is deleted in the end, whatever happens. Claims need a session."""
    opened = Places(session, image, read_only, fixed_ids, run)
    try:
        with errors():
            yield opened
    finally:
        await opened.close()


class Places:
    """The places of one command. All on claims are of one claim."""

    def __init__(
        self,
        session: Session | None,
        image: Image | None,
        read_only: bool,
        fixed_ids: bool,
        run: Mapping[str, Any] | None,
    ):
        self._session = session
        self._image = image
        self._read_only = read_only
        self._fixed_ids = fixed_ids
        self._run = run
        self._host: Any = None

    async def open(self, location: Location) -> Place:
        """The place that a location names. Raises `TransferError`."""
        from trainingrun.transfer.claim_place import ClaimPlace
        from trainingrun.transfer.locations import UriFolder
        from trainingrun.transfer.places import TransferError
        from trainingrun.transfer.pod_host import PodHost
        from trainingrun.transfer.uri_place import UriPlace

        if isinstance(location, UriFolder):
            return UriPlace(location.uri)
        session = self._session
        if self._image is None or session is None:
            raise TransferError(
                f"There is no run that uses claim {location.claim}, whose image could serve its files: name an image "
                "that has Python with --image, best the spec.image of your run, which nodes have to pull anyway."
            )
        if self._host is None:
            self._host = PodHost(
                session.api,
                session.transport,
                session.namespace,
                location.claim,
                self._image,
                tell,
                self._read_only,
                self._fixed_ids,
                self._run,
            )
            await self._host.remove_left()
        return ClaimPlace(self._host, location.folder)

    async def close(self) -> None:
        """Delete the pod."""
        if self._host is not None:
            await self._host.close()


@contextmanager
def progress(words: str, total: int) -> Iterator[Show]:
    """Yield a function to call with what is there of each file: a bar on a terminal, elsewhere a line now and then."""
    if not sys.stderr.isatty():
        yield _Lines(words, total).show
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task, there = bar.add_task(words, total=total), _There()

        def show(name: str, at: int) -> None:
            bar.update(task, completed=there.after(name, at))

        yield show


class _There:
    """How many bytes are there of all files."""

    def __init__(self) -> None:
        self._bytes: dict[str, int] = {}
        self._sum = 0

    def after(self, name: str, at: int) -> int:
        self._sum += at - self._bytes.get(name, 0)
        self._bytes[name] = at
        return self._sum


class _Lines:
    def __init__(self, words: str, total: int):
        self._words, self._total = words, total
        self._there = _There()
        self._printed = time.monotonic()

    def show(self, name: str, at: int) -> None:
        there, now = self._there.after(name, at), time.monotonic()
        if now - self._printed >= _SECONDS_BETWEEN_LINES:
            self._printed = now
            tell(f"{self._words}: {megabytes(there)} of {megabytes(self._total)}")


def megabytes(size: int) -> str:
    """So many bytes in words."""
    return f"{size / 1e6:,.1f} MB"
