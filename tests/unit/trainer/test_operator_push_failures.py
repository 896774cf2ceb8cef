"""Training neither waits for the operator nor notices that it, its token or its authority is missing."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from https_receiver import Receiver, https_receiver
from progress_samples import progress
from push_samples import steps_of

from trainingrun_trainer.driver.progress_push import Endpoint, OperatorPush


@pytest.mark.parametrize("status", [500, 401, 404, None])
def test_an_answer_that_is_no_success_is_said_and_the_next_push_is_made(
    receiver: Receiver, endpoint: Endpoint, status: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.status = status
    push = OperatorPush(endpoint, interval_seconds=0.05)
    push.emit(progress(1))
    receiver.wait_for(1)
    receiver.status = 200
    push.emit(progress(2))
    receiver.wait_for(2)
    push.close()
    assert steps_of(receiver) == [1, 2]
    assert capsys.readouterr().err.count("warning: could not report progress to the operator: ") == 1


def test_a_server_of_another_authority_gets_no_token(
    receiver: Receiver, endpoint: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with https_receiver(tmp_path / "stranger") as stranger:
        push = OperatorPush(Endpoint(stranger.url, endpoint.ca_file, endpoint.token_file))
        push.emit(progress(1))
        push.close()
        assert stranger.requests == []
    assert "CERTIFICATE_VERIFY_FAILED" in capsys.readouterr().err


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.parametrize("lost", ["server", "token", "authority"])
def test_training_does_not_notice_what_is_missing(
    endpoint: Endpoint, lost: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Endpoint(
        f"https://127.0.0.1:{free_port()}/status" if lost == "server" else endpoint.url,
        str(tmp_path / "nothing") if lost == "authority" else endpoint.ca_file,
        str(tmp_path / "nothing") if lost == "token" else endpoint.token_file,
    )
    began = time.monotonic()
    push = OperatorPush(broken, interval_seconds=0.05)
    for step in range(1000):
        push.emit(progress(step))
    assert time.monotonic() - began < 1.0
    push.close()
    assert time.monotonic() - began < 5.0
    assert "could not report progress to the operator" in capsys.readouterr().err


def test_a_server_that_never_answers_holds_nothing_up(endpoint: Endpoint) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        push = OperatorPush(Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}/", None, None))
        began = time.monotonic()
        for step in range(1000):
            push.emit(progress(step))
        assert time.monotonic() - began < 1.0
    push.close()
