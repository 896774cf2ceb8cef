"""The progress endpoint's certificate on a real API server: the optimistic lock, and the rights of its manifests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from control_plane import ControlPlane
from operator_process import NAMESPACE, OPERATOR
from our_manifests import RIGHTS
from raw_client import Object, RawClient, Refused

NAME = "trainingrun-operator-certificate"
HOST = "trainingrun-operator-progress.trainingrun-system.svc"
_MANAGER = RIGHTS.parent / "manager"
_FILES = {
    "secrets": "certificate_secret.yaml",
    "roles": "certificate_role.yaml",
    "rolebindings": "certificate_role_binding.yaml",
}


@pytest.fixture
def applied(admin: RawClient, rights: list[Object]) -> None:
    """The manifests, as at an installation."""
    apply_manifests(admin)


def apply_manifests(admin: RawClient) -> None:
    for plural, file in _FILES.items():
        admin.apply(plural, yaml.safe_load((_MANAGER / file).read_text()), NAMESPACE)


def test_replicas_that_start_at_once_share_one_certificate_that_applying_again_keeps(
    control_plane: ControlPlane, admin: RawClient, applied: None, tmp_path: Path
) -> None:
    kubeconfig = control_plane.kubeconfig("certificate", control_plane.token_of(NAMESPACE, OPERATOR))
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    options = [f"--secret={NAME}", f"--host={HOST}", f"--namespace={NAMESPACE}"]
    folders = [tmp_path / str(replica) for replica in range(3)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "trainingrun.certificate", *options, f"--folder={folder}"], env=environment
        )
        for folder in folders
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    first, *others = [{file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders]
    assert set(first) == {"ca.crt", "tls.crt", "tls.key"}
    assert others == [first, first]
    held = admin.get("secrets", NAME, NAMESPACE)["data"]
    apply_manifests(admin)
    assert admin.get("secrets", NAME, NAMESPACE)["data"] == held


def test_the_operator_may_read_no_other_secret(control_plane: ControlPlane, applied: None) -> None:
    operator = control_plane.client_with(control_plane.token_of(NAMESPACE, OPERATOR))
    assert operator.get("secrets", NAME, NAMESPACE)["metadata"]["name"] == NAME
    for read in (
        lambda: operator.get("secrets", "another", NAMESPACE),
        lambda: operator.list("secrets", NAMESPACE),
        lambda: operator.get("secrets", NAME, "default"),
    ):
        with pytest.raises(Refused) as refusal:
            read()
        assert refusal.value.code == 403
