"""What the operator renders is what the training image understands: versions, variables, modules and CPUs."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from rendered_runs import SETTINGS, cluster_spec, ray_container, run_object, templates, variables_of

from trainingrun.render import ray_job
from trainingrun_trainer.driver import options, prestart
from trainingrun_trainer.driver.shape import workers_of
from trainingrun_trainer.placement import Node, data_slots
from trainingrun_trainer.placement import check as check_placement

REQUIREMENTS = Path(__file__).parents[3] / "requirements" / "trainer.txt"


def test_kuberay_is_told_the_version_of_ray_in_the_image():
    pinned = re.findall(r"^ray(?:\[.*\])?==([^\s;]+)", REQUIREMENTS.read_text(), re.MULTILINE)
    assert [cluster_spec(ray_job(run_object(), 0, SETTINGS))["rayVersion"]] == pinned


def test_the_driver_finds_its_options(monkeypatch):
    head = templates(ray_job(run_object(), 4, SETTINGS))["head"]
    for name, value in variables_of(head).items():
        monkeypatch.setenv(name, value)
    chosen = options.parse([])
    assert chosen.config == ray_container(head)["volumeMounts"][1]["mountPath"] + "/run.json"
    assert (chosen.attempt, chosen.json, chosen.num_workers) == (4, True, None)


def test_the_image_has_the_modules_that_pods_start():
    head = templates(ray_job(run_object(), 0, SETTINGS))["head"]
    hook = ray_container(head)["lifecycle"]["preStop"]["exec"]["command"]
    entrypoint = ray_job(run_object(), 0, SETTINGS)["spec"]["entrypoint"]
    code = {"uri": "s3://bucket/code.tar.gz", "sha256": "0a" * 32}
    unpacking = templates(ray_job(run_object(code=code), 0, SETTINGS))["head"]["spec"]["initContainers"][0]["command"]
    for module in (hook[-1], unpacking[2], entrypoint.split()[-1], prestart.__name__):
        assert importlib.util.find_spec(module), module


def test_the_image_accepts_the_configuration():
    text = templates(ray_job(run_object(), 0, SETTINGS))["head"]["metadata"]["annotations"]["trainingrun.dev/run"]
    assert workers_of(run_object(json.loads(text)).run) == workers_of(run_object().run)


@settings(deadline=None)
@given(
    nodes=st.integers(1, 2),
    processes=st.integers(1, 10),
    millicores=st.integers(1, 20_000),
    gpus_each=st.integers(0, 2),
)
def test_the_trainer_nodes_have_room_for_the_workers_that_the_driver_asks_for(nodes, processes, millicores, gpus_each):
    limits = {"cpu": f"{millicores}m", **({"nvidia.com/gpu": gpus_each * processes} if gpus_each else {})}
    trainer = {"numNodes": nodes, "numProcPerNode": processes, "resourcesPerNode": {"limits": limits}}
    loop = {
        "dataset": {"train": {"format": "Parquet", "path": "/x"}},
        "globalBatchSize": 5040,
        "loop": {"function": "a:b"},
    }
    run = run_object(trainer=trainer, recipe=loop)
    ray_nodes = [
        Node(
            "id",
            group["groupName"],
            float(group["rayStartParams"]["num-cpus"]),
            float(group["rayStartParams"]["num-gpus"]),
            group["labels"],
        )
        for group in cluster_spec(ray_job(run, 0, SETTINGS))["workerGroupSpecs"]
        for _ in range(group["replicas"])
    ]
    assert data_slots(ray_nodes) >= 1
    check_placement(ray_nodes, workers_of(run.run))
