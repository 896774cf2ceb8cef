"""Workers look at what they have before they connect: a GPU that is none to CUDA is refused, and all is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import torch
from ray.train._internal.utils import get_address_and_port
from ray.train.torch import config

from trainingrun_trainer.driver import backend
from trainingrun_trainer.driver.backend import torch_config
from trainingrun_trainer.driver.devices import Devices, use_of
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.machine import Machine
from trainingrun_trainer.placement import Workers

GIB = 1 << 30
ON_GPUS = Workers(count=2, gpus=1, cpus=1)
ON_CPUS = Workers(count=2, gpus=0, cpus=1)


class WorkerHere:
    """A group of workers that is this process."""

    def __len__(self) -> int:
        return 1

    def execute(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        return [function(*arguments)]

    def execute_single(self, rank: int, function: Callable[..., Any], *arguments: Any) -> Any:
        return ("10.0.0.7", 2323) if function is get_address_and_port else function(*arguments)

    execute_single_async = execute_single


def refusal(workers: Workers) -> str:
    chosen = torch_config(workers)
    with pytest.raises(InvalidConfiguration) as caught:
        chosen.backend_cls().on_start(WorkerHere(), chosen)
    return str(caught.value)


def test_a_gpu_that_cuda_does_not_find_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    message = refusal(ON_GPUS)
    assert message.startswith("spec.trainer.resourcesPerNode.limits: found a GPU that CUDA cannot use, on ")
    assert "TRAININGRUN_TRAIN_ON_CPU=1 in spec.env" in message
    assert "\n" not in message


def test_the_reason_is_said_where_it_can_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert 'as CUDA_VISIBLE_DEVICES is "-1"' in refusal(ON_GPUS)
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "as the image's torch is built for CPUs only" in refusal(ON_GPUS)


def test_fewer_gpus_than_a_process_is_to_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "H100")
    message = refusal(Workers(count=1, gpus=2, cpus=1))
    assert "found 1 GPU that CUDA can use" in message and "at least 2" in message


@pytest.mark.parametrize(
    ("workers", "setting", "backend"),
    [(ON_GPUS, "", "nccl"), (ON_GPUS, "1", "gloo"), (ON_CPUS, "", "gloo")],
    ids=["on GPUs", "GPUs left unused", "on CPUs"],
)
def test_what_the_workers_talk_with(
    monkeypatch: pytest.MonkeyPatch, workers: Workers, setting: str, backend: str
) -> None:
    monkeypatch.setenv("TRAININGRUN_TRAIN_ON_CPU", setting)
    assert torch_config(workers).backend == backend


def test_what_is_held_and_used_is_told_once_the_workers_have_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(backend, "_tell", told.append)
    monkeypatch.setattr(backend, "connect", lambda *how: told.append({"message": f"connected {how}"}))
    monkeypatch.setattr(backend.ray, "get", lambda _: None)
    chosen = torch_config(ON_CPUS)
    chosen.backend_cls().on_start(WorkerHere(), chosen)
    assert [notice["message"].partition(";")[0] for notice in told] == [
        "connected ('gloo', '10.0.0.7', 2323, 0, 1)",
        "training uses no GPU and 1 CPU",
    ]


def test_the_controller_of_ray_train_loads_no_torch() -> None:
    """Workers wait until it has loaded what it is given, and it computes nothing."""
    given = "trainingrun_trainer.driver.backend, trainingrun_trainer.train.worker"
    code = f"import sys, {given}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_worker_connects_and_parts_by_what_ray_train_has(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(config, "_set_torch_distributed_env_vars", lambda: done.append(os.environ["MASTER_ADDR"]))
    monkeypatch.setattr(config.dist, "init_process_group", lambda **how: done.append(how))
    monkeypatch.setattr(config, "_shutdown_torch", lambda **how: done.append(how))
    monkeypatch.setenv("MASTER_ADDR", "")
    monkeypatch.setenv("MASTER_PORT", "")
    backend.connect("gloo", "10.0.0.7", 2323, 1, 2)
    backend.part(2)
    how = {"backend": "gloo", "init_method": "env://", "rank": 1, "world_size": 2, "timeout": timedelta(minutes=30)}
    assert done == ["10.0.0.7", how, {"destroy_process_group": True}]
    assert os.environ["MASTER_PORT"] == "2323"


def worker(host: str, *gpus: str, held: int | None = None, cpus: int = 16) -> Devices:
    ids = tuple(str(index) for index in range(len(gpus) if held is None else held))
    return Devices(host, gpus, Machine(cpus, ids, 64 * GIB, GIB))


def test_a_machine_is_counted_once_however_many_workers_it_has() -> None:
    found = [worker("a", "H100", held=2), worker("a", "H100", held=2)]
    assert use_of(found, Workers(count=2, gpus=1, cpus=8)) == {
        "level": "Info",
        "message": "training uses 2 GPUs (H100) and 16 CPU; its machine holds 2 GPUs, 16 CPU and 64 GiB",
        "figures": {"gpusUsed": 2, "gpusHeld": 2, "cpusUsed": 16, "cpusHeld": 16},
    }
    two = [worker("a", "H100"), worker("b", "H200")]
    assert use_of(two, Workers(count=2, gpus=1, cpus=8))["message"] == (
        "training uses 2 GPUs (H100, H200) and 16 CPU; its 2 machines hold 2 GPUs, 32 CPU and 128 GiB"
    )


def test_a_gpu_that_is_held_and_not_used_is_a_warning() -> None:
    notice = use_of([worker("a", held=1)], Workers(count=1, gpus=0, cpus=2.5))
    assert notice["level"] == "Warning"
    assert notice["figures"] == {"gpusUsed": 0, "gpusHeld": 1, "cpusUsed": 2.5, "cpusHeld": 16}
    assert notice["message"] == "training uses no GPU and 2.5 CPU; its machine holds 1 GPU, 16 CPU and 64 GiB"
