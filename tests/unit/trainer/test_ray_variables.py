"""Ray knows the variables that the operator sets for it: one that Ray has renamed would do nothing, silently."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
import ray
from ray._common.usage import usage_constants, usage_lib
from ray._private import ray_constants

from trainingrun.contract import variables
from trainingrun.render.pod_environment import common_variables, driver_variables
from trainingrun_trainer.local import virtual_cluster


def test_ray_is_told_not_to_wait_before_it_ends() -> None:
    name = "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"
    assert name in common_variables(drain_seconds=50)
    assert f'"{name}"' in inspect.getsource(ray_constants)


def test_ray_is_told_to_tell_its_makers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    name = usage_constants.USAGE_STATS_ENABLED_ENV_VAR
    monkeypatch.setenv(name, common_variables(drain_seconds=50)[name])
    assert not usage_lib.usage_stats_enabled()


def test_rays_nodes_know_their_settings() -> None:
    """Their program is not in Python; its settings are in lower case."""
    program = (Path(ray.__file__).parent / "core/src/ray/raylet/raylet").read_bytes()
    rendered = common_variables(drain_seconds=50) | driver_variables(attempt=0, drain_seconds=50)
    settings = {name for name in virtual_cluster._RAY_SETTINGS | rendered if re.fullmatch("RAY_[a-z_]+", name)}
    assert len(settings) == 4
    settings |= {variables.RAY_PRELOAD, "RAY_prestart_worker_first_driver"}
    for name in settings:
        assert name.removeprefix("RAY_").encode() in program, name


@pytest.mark.parametrize("environment", ["dev", "trainer"])
def test_no_process_of_ray_loads_what_only_checks_formats(environment: str) -> None:
    """Ray loads jsonschema, which loads this where it finds it: two seconds of CPU for each of twenty processes."""
    locked = Path(__file__).parents[3] / "requirements" / f"{environment}.txt"
    assert "rfc3987" not in locked.read_text()
