"""Processes that are started before a run needs them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from trainingrun_trainer.driver.prestart import train_variables

_LOADS = """
import importlib

import torch

from trainingrun.contract.pods import PRELOADED_MODULES

asked = []
for name in ("_cuda_init", "_cuda_getDeviceCount", "_cuda_getDevice", "_cuda_setDevice"):
    if hasattr(torch._C, name):
        setattr(torch._C, name, lambda *_, name=name: asked.append(name) or 0)
for module in PRELOADED_MODULES["trainer"]:
    importlib.import_module(module)
print(asked, torch.cuda.is_initialized())
"""


def test_what_is_preloaded_asks_for_no_gpu() -> None:
    """A process that has looked for GPUs before it is given its own would see all of them, or none, ever after."""
    done = subprocess.run([sys.executable, "-c", _LOADS], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.returncode) == ("[] False", 0), done.stderr


def test_processes_are_started_with_what_ray_train_hands_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no others. It is asked without being loaded, which takes as long as what is gained."""
    from ray.train.v2._internal import constants

    for name in constants.ENV_VARS_TO_PROPAGATE:
        monkeypatch.setenv(name, "7")
    assert train_variables() == constants.get_env_vars_to_propagate()
    for name in constants.ENV_VARS_TO_PROPAGATE:
        monkeypatch.delenv(name)
    added = constants.RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_ENV_VAR
    assert train_variables()[added] == constants.DEFAULT_RAY_WARN_BLOCKING_GET_INSIDE_ASYNC_VALUE
