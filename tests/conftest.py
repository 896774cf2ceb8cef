"""For all tests: which run in one process, which examples properties are tried on, and a server that speaks S3."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import s3fs

# The same examples each time, so that a change is judged by what it changes; with TRAININGRUN_SEARCH, new ones.
# How long an example takes says more about what else the machine does than about the code.
settings.register_profile(
    "trainingrun",
    derandomize="TRAININGRUN_SEARCH" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("trainingrun")

# Folders whose tests share servers, which cost a fifth of a processor for as long as they live.
_TOGETHER = {"apiserver"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where several processes share the tests, each takes whole files, and one takes all that share servers."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            folder = file.split("/")[1]
            return folder if folder in _TOGETHER else file

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    # Imported here: most folders need no store, and this takes longer than many of them.
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[s3fs.S3FileSystem]:
    """The store's files; bucket `bucket` is empty."""
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # File systems are kept by process with the endpoint that they were made with.
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem(use_listings_cache=False)
    if files.exists("bucket"):
        files.rm("bucket", recursive=True)
    files.mkdir("bucket")
    yield files
    s3fs.S3FileSystem.clear_instance_cache()
