"""Code of the author's own: unpacked in every pod before Ray starts, and first where the driver looks for modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kuberay_schema import problems
from pod_security import violations
from rendered_runs import SETTINGS, ray_container, run_object, templates

from trainingrun.contract import pods as contract
from trainingrun.render import ray_job
from trainingrun.render.code import entrypoint
from trainingrun.spec.code import Code
from trainingrun.spec.groups import Trainer

DIGEST = "ab" * 32
BUCKET = {"uri": "s3://bucket/code.tar.gz", "sha256": DIGEST}
CONFIG_MAP = {"configMapKeyRef": {"name": "digits-code", "key": "code.tar.gz"}, "sha256": DIGEST}
ON_CLAIM = {"uri": "/mnt/shared/code.tar.gz", "sha256": DIGEST}
CLAIM = {"persistentVolumeClaim": {"claimName": "shared", "mountPath": "/mnt/shared"}}
CASES = [
    ({"code": BUCKET, "storage": {"uri": "s3://bucket", "secretRef": {"name": "s3"}}}, "s3://bucket/code.tar.gz"),
    ({"code": CONFIG_MAP}, "/opt/trainingrun/archive/code.tar.gz"),
    ({"code": ON_CLAIM, "storage": CLAIM}, "/mnt/shared/code.tar.gz"),
]


def unpacking(template: dict[str, Any]) -> dict[str, Any]:
    """The one container that ends before the others start."""
    (container,) = template["spec"]["initContainers"]
    found: dict[str, Any] = container
    return found


def mounts(container: dict[str, Any]) -> dict[str, Any]:
    return {mount["name"]: (mount["mountPath"], mount.get("readOnly", False)) for mount in container["volumeMounts"]}


@pytest.mark.parametrize(("spec", "source"), CASES)
def test_every_pod_unpacks_the_code_before_ray_starts(kuberay_crds: Path, spec: dict[str, Any], source: str) -> None:
    manifest = ray_job(run_object(**spec, imagePullPolicy="Always"), 0, SETTINGS)
    assert problems(kuberay_crds, manifest) == []
    for template in templates(manifest).values():
        container, ray = unpacking(template), ray_container(template)
        command = ["python", "-m", "trainingrun_trainer.fetch_code", source, DIGEST, "/opt/trainingrun/code"]
        assert container["command"] == command
        assert (container["image"], container["imagePullPolicy"]) == (ray["image"], "Always")
        # It reads the store as training does, and fits where training does.
        assert (container["env"], container["envFrom"]) == (ray["env"], ray["envFrom"])
        assert mounts(container)["code"] == ("/opt/trainingrun/code", False)
        assert mounts(ray)["code"] == ("/opt/trainingrun/code", True)
        assert {"name": "code", "emptyDir": {}} in template["spec"]["volumes"]
        assert mounts(container).get("storage") == mounts(ray).get("storage")
        assert list(violations(template["spec"])) == []


def test_only_an_archive_in_a_config_map_is_mounted() -> None:
    for template in templates(ray_job(run_object(code=CONFIG_MAP), 0, SETTINGS)).values():
        assert mounts(unpacking(template))["archive"] == ("/opt/trainingrun/archive", True)
        assert "archive" not in mounts(ray_container(template))
        (volume,) = (each for each in template["spec"]["volumes"] if each["name"] == "archive")
        assert volume["configMap"] == {
            "name": "digits-code",
            "items": [{"key": "code.tar.gz", "path": "code.tar.gz"}],
        }
    for template in templates(ray_job(run_object(code=BUCKET), 0, SETTINGS)).values():
        assert "archive" not in mounts(unpacking(template))
        assert "archive" not in [volume["name"] for volume in template["spec"]["volumes"]]


def test_unpacking_asks_for_nothing_that_the_pod_does_not_have_anyway() -> None:
    limits = {"cpu": 4, "memory": "8Gi", "nvidia.com/gpu": 2, "ephemeral-storage": "1Gi"}
    group = {"resourcesPerNode": {"limits": limits, "requests": {"cpu": "100m"}}}
    manifest = ray_job(run_object(code=BUCKET, trainer=group), 0, SETTINGS)
    resources = unpacking(templates(manifest)["trainer"])["resources"]
    assert resources["limits"] == {"cpu": "4", "memory": "8Gi", "ephemeral-storage": "1Gi"}
    assert resources["requests"] == {"cpu": "100m", "memory": "8Gi", "ephemeral-storage": "1Gi"}


def test_without_code_pods_are_as_ever() -> None:
    manifest = ray_job(run_object(), 0, SETTINGS)
    assert manifest["spec"]["entrypoint"] == "python -m trainingrun_trainer"
    for template in templates(manifest).values():
        assert "initContainers" not in template["spec"]
        assert "code" not in mounts(ray_container(template))


def test_a_dollar_in_an_address_is_no_variable() -> None:
    code = {"uri": "s3://bucket/$(HOME)/a$b.tar.gz", "sha256": DIGEST}
    template = templates(ray_job(run_object(code=code), 0, SETTINGS))["head"]
    # The kubelet makes one of two.
    assert unpacking(template)["command"][3] == "s3://bucket/$$(HOME)/a$$b.tar.gz"


@pytest.mark.parametrize(("before", "after"), [({}, ""), ({"PYTHONPATH": "/app:/more"}, ":/app:/more")])
def test_the_driver_starts_in_the_code_and_finds_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, str], after: str
) -> None:
    """As Ray starts it: by a shell, which the driver replaces so that signals reach it."""
    place = tmp_path
    shown = "print(os.getcwd(), os.environ['PYTHONPATH'], os.getpid(), sys.argv[1])"
    (place / "train.py").write_text(f"import os, sys\n{shown}")
    monkeypatch.setattr(contract, "CODE_DIRECTORY", str(place))
    line = entrypoint(Trainer(command=(sys.executable, "train.py"), args=("$x 'y'",)), Code.model_validate(BUCKET))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | before
    with subprocess.Popen(line, shell=True, env=environment, stdout=subprocess.PIPE, text=True) as driver:  # noqa: S602
        said = driver.stdout.read() if driver.stdout else ""
    assert said == f"{place} {place}{after} {driver.pid} $x 'y'\n"
    assert driver.returncode == 0


def test_a_recipe_is_started_in_the_same_way() -> None:
    line = ray_job(run_object(code=BUCKET), 0, SETTINGS)["spec"]["entrypoint"]
    assert line.startswith("cd /opt/trainingrun/code && export PYTHONPATH=")
    assert line.endswith(" && exec python -m trainingrun_trainer")


@pytest.mark.parametrize("path", ["/opt/trainingrun", "/opt/trainingrun/code", "/opt/trainingrun/code/x"])
def test_no_claim_can_be_mounted_over_the_code(path: str) -> None:
    with pytest.raises(AssertionError, match="mountPath"):
        run_object(storage={"persistentVolumeClaim": {"claimName": "c", "mountPath": path}})
    assert contract.CODE_DIRECTORY.startswith("/opt/trainingrun/")
