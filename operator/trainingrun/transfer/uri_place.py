"""A folder below a URI as a place, through fsspec: an object store, or whatever else it has a client for.

Its client is an extra of this package, asked for only here. A store tells no digests of its own that mean the same
everywhere, so a file's is that of its bytes, read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

from trainingrun.transfer.places import PART, CutOff, Show, TransferError, Upload, Whole, checked_name

_CHUNK_BYTES = 8 << 20
# The extra of this package whose client speaks a scheme.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "hf": "huggingface"}


class UriPlace:
    """See the module and `Place`. Raises `TransferError` where the URI's client is not installed."""

    def __init__(self, uri: str):
        self._uri = uri.rstrip("/")
        self._files, root = _client(self._uri)
        self._root = str(root).rstrip("/")

    async def sizes(self) -> dict[str, int] | None:
        """See Place."""
        return await asyncio.to_thread(self._sizes)

    async def read(self, files: Sequence[tuple[str, int]]) -> AsyncGenerator[bytes | Whole]:
        """See Place."""
        for name, offset in files:
            digest = hashlib.sha256()
            with _reached(self._uri):
                stream = await asyncio.to_thread(self._files.open, self._path(name), "rb")
                stream.seek(offset)
            with contextlib.closing(stream):
                while True:
                    with _reached(self._uri):
                        chunk: bytes = await asyncio.to_thread(stream.read, _CHUNK_BYTES)
                    if not chunk:
                        break
                    digest.update(chunk)
                    yield chunk
            yield Whole(name, None if offset else digest.hexdigest())

    async def digests(self, names: Sequence[str]) -> dict[str, str]:
        """See Place."""
        return {name: await asyncio.to_thread(self._digest, name) for name in names}

    async def offer(self, files: Sequence[tuple[str, int]]) -> dict[str, tuple[bool, int]]:
        """See Place. A store keeps nothing of a file that was cut off: it comes again from its beginning."""
        there = await self.sizes() or {}
        return {name: (name in there, there.get(name, 0)) for name, _ in files}

    async def write(self, files: Sequence[Upload], show: Show, placed: Callable[[str], None]) -> None:
        """See Place. Each is read again before it counts."""
        for file in files:
            sent = await asyncio.to_thread(self._write, file, show)
            if await asyncio.to_thread(self._digest, file.name) != sent:
                with _reached(self._uri):
                    await asyncio.to_thread(self._files.rm_file, self._path(file.name))
                raise CutOff(f"{file.name} did not arrive as it was sent")
            placed(file.name)

    def _sizes(self) -> dict[str, int] | None:
        with _reached(self._uri):
            self._files.invalidate_cache()
            found = self._files.find(self._root, detail=True)
        names = {str(path)[len(self._root) :].lstrip("/"): info for path, info in found.items()}
        files = {name: int(info["size"]) for name, info in names.items() if name and not name.endswith(PART)}
        return {checked_name(name): size for name, size in files.items()} or None

    def _write(self, file: Upload, show: Show) -> str:
        digest, at, path = hashlib.sha256(), 0, self._path(file.name)
        with file.path.open("rb") as source, _reached(self._uri):
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            # A store shows a file only once its stream is closed; where there are folders, a name is given afterwards.
            target = f"{path}{PART}" if self._has_folders else path
            with self._files.open(target, "wb") as stream:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    stream.write(chunk)
                    at += len(chunk)
                    show(file.name, at)
            if target != path:
                self._files.mv(target, path)
        return digest.hexdigest()

    def _digest(self, name: str) -> str:
        digest = hashlib.sha256()
        with _reached(self._uri), self._files.open(self._path(name), "rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @property
    def _has_folders(self) -> bool:
        return self._uri.startswith("file://")


def _client(uri: str) -> tuple[Any, Any]:
    scheme = uri.partition("://")[0]
    extra = _EXTRAS.get(scheme)
    hint = f"install it with `pip install 'trainingrun[{extra}]'`" if extra else "install fsspec and its client for it"
    try:
        import fsspec

        filesystem, root = fsspec.core.url_to_fs(uri)
    except ImportError as error:
        raise TransferError(f"{scheme}:// needs a client that is not installed ({error}): {hint}.") from error
    except ValueError as error:
        raise TransferError(f"{uri} cannot be used: {error}.") from error
    return filesystem, root


@contextlib.contextmanager
def _reached(uri: str) -> Iterator[None]:
    """Each client has errors of its own. What the store has not got, or refuses to give, will not come."""
    try:
        yield
    except FileNotFoundError as error:
        raise TransferError(f"{uri}: {error} is not there (any more).") from error
    except PermissionError as error:
        raise TransferError(f"{uri}: the store refuses it: {error}.") from error
    except (CutOff, TransferError):
        raise
    except Exception as error:
        if "Credential" in type(error).__name__:
            raise TransferError(f"{uri}: the store wants credentials: {error}.") from error
        raise CutOff(f"{uri}: {str(error) or type(error).__name__}") from error
