"""The number of a host whose name is gone, by the connection that is still there."""

from __future__ import annotations

import socket

import pytest

from trainingrun_trainer.drain.connections import as_connected


@pytest.mark.parametrize(
    ("family", "host", "written"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "[::1]"),
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_host_is_that_of_the_connection(family: socket.AddressFamily, host: str, written: str) -> None:
    with socket.socket(family) as server, socket.socket(family) as client:
        server.bind((host, 0))
        server.listen()
        port = server.getsockname()[1]
        client.connect((host, port))
        assert as_connected(f"head.gone.svc.cluster.local:{port}") == f"{written}:{port}"
    # A connection that is being closed is none.
    assert as_connected(f"head.gone.svc.cluster.local:{port}") == f"head.gone.svc.cluster.local:{port}"


def test_what_is_no_address_stays_as_it_is() -> None:
    assert as_connected("local") == "local"
    assert as_connected("") == ""
