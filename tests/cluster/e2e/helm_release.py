"""The operator's release in the cluster: installed, upgraded, tested and removed by Helm, as people do it.

It asserts nothing, and knows nothing of runs.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml
from cluster_client import Cluster

CHART = Path(__file__).parents[3] / "charts" / "trainingrun-operator"
RELEASE = "trainingrun-operator"
OPERATOR_NAMESPACE = "trainingrun-system"
DEFINITION = "trainingruns.trainingrun.dev"
EARLIER_VERSION = "0.0.9"


@dataclass(frozen=True)
class Release:
    """Helm with the kubeconfig of the test cluster."""

    helm: Path
    cluster: Cluster

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Helm in the operator's namespace."""
        where = ["--kubeconfig", str(self.cluster.kubeconfig), "--namespace", OPERATOR_NAMESPACE]
        command = [str(self.helm), *arguments, *where]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        if check and done.returncode:
            raise AssertionError(f"helm {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}{done.stdout}")
        return done

    def deploy(self) -> None:
        """Install the operator as its documentation says, in a namespace that is as strict as can be."""
        self.cluster.create_namespace(OPERATOR_NAMESPACE)
        self.install()
        # An image that was built anew has the name of the one before it.
        self.cluster.run("rollout", "restart", "deployment", f"--namespace={OPERATOR_NAMESPACE}")
        self.cluster.run("rollout", "status", "deployment", f"--namespace={OPERATOR_NAMESPACE}", "--timeout=180s")

    def install(self, chart: Path = CHART) -> None:
        """Install the chart, or make the installed release one of this chart; returns when its pods are ready."""
        self.run("upgrade", "--install", RELEASE, str(chart), "--wait", "--timeout=180s")

    def uninstall(self) -> None:
        """Remove the release; returns when everything that goes with it is gone."""
        self.run("uninstall", RELEASE, "--wait", "--timeout=180s")

    def test(self) -> subprocess.CompletedProcess[str]:
        """`helm test`, whether it passes or not."""
        return self.run("test", RELEASE, "--timeout=120s", check=False)


def earlier_chart(release: Release, folder: Path) -> Path:
    """A package of the chart as an earlier release could have been.

    It has another version, its pods differ, so that an upgrade replaces them, and its definition of TrainingRun has a
    column less, so that an upgrade must change that too.
    """
    chart = folder / CHART.name
    shutil.copytree(CHART, chart)
    values = yaml.safe_load((chart / "values.yaml").read_text())
    values["podAnnotations"] = {"example.com/release": "earlier"}
    (chart / "values.yaml").write_text(yaml.safe_dump(values))
    file = chart / "files" / "trainingruns.yaml"
    definition = yaml.safe_load(file.read_text())
    definition["spec"]["versions"][0]["additionalPrinterColumns"].pop()
    file.write_text(yaml.safe_dump(definition))
    release.run("package", str(chart), "--version", EARLIER_VERSION, "--destination", str(folder))
    return folder / f"{CHART.name}-{EARLIER_VERSION}.tgz"
