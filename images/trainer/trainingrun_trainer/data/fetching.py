"""Gets small files by path or URI, many at a time, in order; none can hold up the others for long.

What is wrong with one file is a value here: whether it ends a run is the caller's business.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import fsspec

from trainingrun_trainer.failures.outages import is_outage

_AT_A_TIME = 32
_TRIES = 3
# For a whole file. What is merely slow is cut off, too: one row is not worth a batch that everybody waits for.
TRY_SECONDS = 30.0
# Before the second try; twice as long before the third.
PAUSE_SECONDS = 1.0


def fetched(paths: Iterable[str]) -> Iterator[bytes | Exception]:
    """The content of each file, local or remote, or the error after the last try, in the order of `paths`.

    Up to 32 are fetched at a time. An outage is tried three times, 30 s each; what is missing or forbidden once.
    Only stores whose client is asynchronous (HTTP, S3, Google's and Azure's) can be cut off.
    """
    waiting: deque[Future[bytes | Exception]] = deque()
    pool = ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="fetch")
    try:
        for path in paths:
            waiting.append(pool.submit(_fetch, path))
            if len(waiting) == 2 * _AT_A_TIME:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fetch(path: str) -> bytes | Exception:
    for number in range(_TRIES):
        try:
            return _read(path)
        # Clients of stores raise what they like, and an unknown scheme or a missing client is an error of the row.
        except Exception as error:
            if not is_outage(error) or number + 1 == _TRIES:
                return error
        # Not all at once, as they have failed.
        time.sleep(PAUSE_SECONDS * 2**number * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("unreachable")


def _read(path: str) -> bytes:
    filesystem, name = fsspec.core.url_to_fs(path)
    if not filesystem.async_impl:
        content: bytes = filesystem.cat_file(name)
        return content
    reading = asyncio.wait_for(filesystem._cat_file(name), TRY_SECONDS)
    running: Future[bytes] = asyncio.run_coroutine_threadsafe(reading, filesystem.loop)
    try:
        return running.result(TRY_SECONDS + 1)
    except (TimeoutError, concurrent.futures.TimeoutError) as error:
        running.cancel()
        raise TimeoutError(f"no answer within {TRY_SECONDS:g} s") from error
