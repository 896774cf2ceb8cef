"""The hook of a pod's end finds what must end first among real processes, waits for it, and never too long."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from trainingrun.contract.labels import RAY_DATA_KEY, RAY_DATA_VALUE
from trainingrun_trainer.drain import __main__ as hook
from trainingrun_trainer.drain import processes
from trainingrun_trainer.drain.__main__ import drain, main
from trainingrun_trainer.drain.processes import RayNode, drivers, training_workers

HEAD = "192.0.2.7:6379"
JOB = {"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}", "RAY_ADDRESS": HEAD, "TRAININGRUN_CONFIG": "/etc/trainingrun/run.json"}
ENDS_LATER = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), sys.exit(11)))"
IGNORES = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


def node(
    *, address: str = HEAD, head: bool = False, labels: dict[str, str] | None = None, raylet: int | None = None
) -> RayNode:
    """A node whose raylet is this process, so that what tests start is the node's."""
    return RayNode(
        raylet=raylet or os.getpid(), node_id="ab" * 28, gcs_address=address, labels=labels or {}, is_head=head
    )


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts processes that say when they are ready; they are ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        assert process.stdout and process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"{code}; print('ready', flush=True); import time; time.sleep(60)")


def through_a_shell(code: str) -> tuple[str, ...]:
    """As Ray's job manager does it; the command after it keeps the shell from becoming what it starts."""
    return ("/bin/bash", "-c", f"{shlex.join(python(code))}; exit $?")


def worker(name: str = "ray::RayTrainWorker") -> tuple[str, ...]:
    return ("/bin/bash", "-c", f"exec -a {name} {shlex.join(python('pass'))}")


@contextmanager
def listening() -> Iterator[str]:
    """A head that takes connections but never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        yield f"127.0.0.1:{silent.getsockname()[1]}"


def refusing() -> str:
    with listening() as address:
        return address


def test_a_pod_without_ray_is_let_go(start: Callable[..., subprocess.Popen[str]]) -> None:
    assert drain(None, 60) == "nothing to wait for: no Ray node runs here"
    assert drain(node(head=True, address="192.0.2.8:1"), 60) == "nothing to wait for: no driver runs here"
    assert drain(node(), 60) == "nothing to wait for: no training worker runs here"


def test_the_driver_is_asked_once_and_waited_for(start: Callable[..., subprocess.Popen[str]]) -> None:
    driver = start(*python(ENDS_LATER), **JOB)
    said = drain(node(head=True), 60)
    assert driver.wait(0.5) == 11
    assert re.fullmatch(rf"asked driver {driver.pid} to stop; process {driver.pid} ended after \d s", said)


def test_the_drivers_shell_is_not_asked(start: Callable[..., subprocess.Popen[str]]) -> None:
    """It would end at once, and with it the job."""
    shell = start(*through_a_shell(ENDS_LATER), **JOB)
    (driver,) = drivers(node(head=True))
    assert driver.parent == shell.pid
    drain(node(head=True), 60)
    assert shell.wait(5) == 11


def test_only_runs_of_this_head_are_asked_where_there_are_others(
    start: Callable[..., subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = [node(head=True), node(head=True, address="192.0.2.9:6379")]
    monkeypatch.setattr(processes, "ray_nodes", lambda: heads)
    for missing in JOB:
        start(*python("0"), **{name: value for name, value in JOB.items() if name != missing})
    start(*python("0"), **{**JOB, "RAY_ADDRESS": "192.0.2.9:6379"})
    assert drivers(heads[0]) == []


def test_a_drivers_own_children_are_its_own_business(start: Callable[..., subprocess.Popen[str]]) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '60'])"
    driver = start(*python(code), **JOB)
    assert [one.pid for one in drivers(node(head=True))] == [driver.pid]


def test_a_driver_that_does_not_end_is_given_up_in_time(start: Callable[..., subprocess.Popen[str]]) -> None:
    driver = start(*python(IGNORES), **JOB)
    began = time.monotonic()
    said = drain(node(head=True), 0.5)
    assert 0.4 < time.monotonic() - began < 3.0
    assert f"process {driver.pid} was still running when the time was up after" in said


def test_a_process_that_its_parent_has_not_waited_for_has_ended(start: Callable[..., subprocess.Popen[str]]) -> None:
    driver = start(*python("0"), **JOB)
    (seen,) = drivers(node(head=True))
    os.kill(driver.pid, signal.SIGKILL)
    os.waitid(os.P_PID, driver.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert not seen.is_alive()


def test_training_workers_are_those_below_the_nodes_raylet(start: Callable[..., subprocess.Popen[str]]) -> None:
    ours = start(*worker())
    start(*worker("ray::SplitCoordinator"))
    assert [one.pid for one in training_workers(node())] == [ours.pid]
    assert training_workers(node(raylet=ours.pid)) == []


def test_a_trainer_whose_head_is_gone_is_let_go(start: Callable[..., subprocess.Popen[str]]) -> None:
    start(*worker())
    address = refusing()
    assert drain(node(address=address), 60) == f"nothing to wait for: the head at {address} is gone"


def test_a_trainer_is_held_though_the_name_of_its_head_is_gone(start: Callable[..., subprocess.Popen[str]]) -> None:
    trainer = start(*worker())
    with listening() as address, socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
        said = drain(node(address=f"head.invalid:{address.rpartition(':')[2]}"), 1.0)
    assert f"process {trainer.pid} was still running" in said


def test_a_head_that_never_answers_does_not_hold_a_trainer_for_ever(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    trainer = start(*worker())
    with listening() as address:
        began = time.monotonic()
        said = drain(node(address=address), 1.0)
    assert time.monotonic() - began < 10.0
    assert f"process {trainer.pid} was still running" in said


def test_a_data_node_stays_while_trainers_may_still_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {RAY_DATA_KEY: RAY_DATA_VALUE}
    monkeypatch.setattr(hook, "_DATA_SECONDS", 0.6)
    with listening() as address:
        began = time.monotonic()
        assert drain(node(address=address, labels=data), 60) == "a data node: kept its data for 1 s"
        assert time.monotonic() - began > 0.5
        assert drain(node(address=address, labels=data), 0.0) == "a data node: kept its data for 0 s"
    assert drain(node(address=address, labels=data), 60) == "a data node: kept its data for 0 s"


def test_it_ends_with_0_and_one_line_whatever_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("no /proc here")

    monkeypatch.setattr(hook, "ray_nodes", fail)
    monkeypatch.setenv("TRAININGRUN_DRAIN_SECONDS", "soon")
    assert main([]) == 0
    assert capsys.readouterr().out == "drain: failed: RuntimeError: no /proc here\n"


def test_it_starts_without_ray_and_torch() -> None:
    heavy = "{'ray', 'torch', 'numpy', 'pydantic'}"
    code = f"import sys, trainingrun_trainer.drain.__main__; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
