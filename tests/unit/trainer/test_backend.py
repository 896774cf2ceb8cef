"""Workers whose GPUs are none to CUDA are refused in a sentence, unless they are to leave them unused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trainingrun_trainer.driver.torch_trainer import torch_config
from trainingrun_trainer.failures.errors import InvalidConfiguration
from trainingrun_trainer.placement import Workers

ON_GPUS = Workers(count=2, gpus=1, cpus=1)


class WorkerHere:
    """A group of workers that is this process."""

    def execute(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        return [function(*arguments)]


def test_a_gpu_that_cuda_does_not_find_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    config = torch_config(ON_GPUS)
    with pytest.raises(InvalidConfiguration, match="found a GPU that CUDA cannot use") as caught:
        config.backend_cls().on_start(WorkerHere(), config)
    assert "TRAININGRUN_TRAIN_ON_CPU=1 in spec.env" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("workers", "setting", "backend"),
    [(ON_GPUS, "", "nccl"), (ON_GPUS, "1", "gloo"), (Workers(count=2, gpus=0, cpus=1), "", "gloo")],
    ids=["on GPUs", "GPUs left unused", "on CPUs"],
)
def test_what_the_workers_talk_with(
    monkeypatch: pytest.MonkeyPatch, workers: Workers, setting: str, backend: str
) -> None:
    monkeypatch.setenv("TRAININGRUN_TRAIN_ON_CPU", setting)
    assert torch_config(workers).backend == backend
