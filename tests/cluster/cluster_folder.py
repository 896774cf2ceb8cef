"""Where everything of the test cluster lies on this machine. It says so to tests and bench too, and does nothing."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".trainingrun" / "cluster"
KUBECONFIG = FOLDER / "kubeconfig"
KIND = FOLDER / "kind"
KUBECTL = FOLDER / "kubectl"
HELM = FOLDER / "helm"
# The pods' common volume: a folder of this machine that both workers mount.
VOLUME = FOLDER / "volume"
# What the API server was asked to change, by whom and when.
AUDIT = FOLDER / "audit"
AUDIT_LOG = AUDIT / "audit.log"
