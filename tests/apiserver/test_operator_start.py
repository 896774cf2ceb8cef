"""The operator starts before what it needs is there, says what it waits for, and goes on by itself."""

from __future__ import annotations

from pathlib import Path

from control_plane import ControlPlane
from go_binaries import Programs
from kuberay_operator import definitions
from operator_process import OperatorProcess, grant
from our_manifests import DEFINITIONS, RIGHTS
from run_documents import document


def test_kuberay_may_be_installed_after_the_operator(tmp_path: Path, programs: Programs) -> None:
    plane = ControlPlane(tmp_path, programs.binaries)
    try:
        plane.start(DEFINITIONS, controllers=False)
        grant(plane, RIGHTS)
        operator = OperatorProcess(plane)
        operator.start(until_ready=False)
        admin = plane.admin
        admin.until(lambda: operator.readiness() == (503, _WAITING), "what it waits for")
        admin.apply("trainingruns", document("early"), "default")
        for file in definitions(programs.kuberay):
            plane.install(file)
        admin.until(lambda: admin.list("rayjobs", "default"), "the run's RayJob", 60)
        assert operator.running
        operator.end()
        assert operator.exit_code == 0
    finally:
        plane.stop()


_WAITING = "rayjobs.ray.io (ray.io/v1) is not installed in the cluster"
