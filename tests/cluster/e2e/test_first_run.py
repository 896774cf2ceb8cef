"""docs/first-run.md does what it says: data go to a claim, a run trains, and the model comes back and predicts.

The page's own commands are run, as they stand there, but for the claim, which the scenario has, and for a GPU.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_client import Cluster
from cluster_folder import KUBECTL
from namespaces import Namespace, OpenNamespace
from timings import Timings

pytestmark = pytest.mark.extended

_ROOT = Path(__file__).parents[3]
_PAGE = _ROOT / "docs" / "first-run.md"
_SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CLAIM = "kubectl apply -f manifests/first-run/claim.yaml\n"
_RUN = "first-run/digits.yaml"
_PREDICTION = """
channels = next(model.parameters()).shape[1]
with torch.no_grad():
    print(model(torch.zeros(2, channels, 8, 8)).shape)
"""


@dataclass(frozen=True)
class FirstRun:
    """What the page's commands have left: in `folder` on this machine, and in the namespace."""

    namespace: Namespace
    folder: Path
    shown: str
    environment: dict[str, str]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        return _run(list(words), self.folder, self.environment)


@pytest.fixture(scope="module")
def first_run(
    open_namespace: OpenNamespace, cluster: Cluster, shared_timings: Timings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FirstRun]:
    """The page's commands, one after the other, in an empty folder and with an empty claim."""
    folder = tmp_path_factory.mktemp("first-run")
    with open_namespace("first_run") as namespace:
        shutil.rmtree(namespace.volume / "datasets")
        _write_run(namespace, folder)
        environment = {
            **os.environ,
            "KUBECONFIG": str(_kubeconfig(cluster, namespace.name, folder / "kubeconfig")),
            "PATH": os.pathsep.join([str(KUBECTL.parent), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "COLUMNS": "200",
        }
        lines = "".join(_SHELL.findall(_PAGE.read_text()))
        # The namespace has it already, on a volume that is a folder of this machine.
        assert _CLAIM in lines
        shared_timings.start()
        done = _run(["bash", "-euo", "pipefail", "-c", lines.replace(_CLAIM, "")], folder, environment)
        shared_timings.mark("Model on this machine")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield FirstRun(namespace, folder, done.stdout + done.stderr, environment)


def test_the_data_are_on_the_claim_as_they_are_here(first_run: FirstRun) -> None:
    there = first_run.namespace.volume / "datasets" / "digits"
    assert _files(there) == _files(first_run.folder / "data" / "digits") != {}


def test_the_run_completes_and_its_page_names_what_to_fetch(first_run: FirstRun) -> None:
    page = " ".join(first_run.call("trainingrun", "status", "digits").stdout.split())
    assert "digits Complete" in page
    assert "`trainingrun download digits" in page and "--best` fetches the best checkpoint's state." in page
    assert "mounted at /mnt/cluster_storage/" in page


def test_the_best_model_is_the_one_on_the_claim_and_is_good(first_run: FirstRun) -> None:
    outputs = _outputs(first_run)
    best = first_run.namespace.volume / outputs["best"]["uri"].removeprefix("pvc://cluster-storage/")
    assert _files(first_run.folder / "model") == _files(best)
    metrics = {metric["name"]: float(metric["value"]) for metric in outputs["best"]["metrics"]}
    assert metrics["validation_accuracy"] > 0.9


def test_it_loads_with_torch_as_the_page_says(first_run: FirstRun) -> None:
    (snippet,) = _PYTHON.findall(_PAGE.read_text())
    done = first_run.call(sys.executable, "-c", snippet + _PREDICTION)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "torch.Size([2, 10])" in done.stdout


def test_the_newest_checkpoint_comes_with_all_its_files_and_only_once(first_run: FirstRun) -> None:
    last = _outputs(first_run)["last"]["uri"]
    done = first_run.call("trainingrun", "download", "digits")
    assert (done.returncode, done.stdout) == (0, f"digits-{last.rpartition('/')[2]}\n"), done.stderr
    there = first_run.namespace.volume / last.removeprefix("pvc://cluster-storage/")
    assert _files(first_run.folder / done.stdout.strip()) == _files(there)
    assert "were there already" in first_run.call("trainingrun", "download", "digits").stderr


def test_a_claim_that_does_not_exist_is_told_in_words(first_run: FirstRun) -> None:
    image = first_run.namespace.document("digits")["spec"]["image"]
    done = first_run.call("trainingrun", "upload", "data", "no-such-claim", "--image", image)
    assert done.returncode == 4
    assert 'persistentvolumeclaim "no-such-claim" not found' in done.stderr


def test_an_image_that_cannot_be_pulled_is_told_in_words(first_run: FirstRun) -> None:
    done = first_run.call("trainingrun", "upload", "data", "cluster-storage:other", "--image", "localhost:1/none:1")
    assert done.returncode == 4
    assert "ImagePullBackOff" in done.stderr


def test_no_pod_is_left(first_run: FirstRun) -> None:
    cluster, name = first_run.namespace.cluster, first_run.namespace.name
    left = cluster.list("pods", name, "trainingrun.dev/transfer")
    assert [pod["metadata"]["name"] for pod in left if "deletionTimestamp" not in pod["metadata"]] == []


def _write_run(namespace: Namespace, folder: Path) -> None:
    """The page's run, as this cluster can train it, where the page's commands find it."""
    document: dict[str, Any] = namespace.document(f"../{_RUN.removesuffix('.yaml')}")
    path = folder / "manifests" / _RUN
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(document))


def _kubeconfig(cluster: Cluster, namespace: str, path: Path) -> Path:
    """The cluster's, whose context has this namespace."""
    shutil.copy(cluster.kubeconfig, path)
    command = [KUBECTL, "--kubeconfig", path, "config", "set-context", "--current", f"--namespace={namespace}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path


def _run(words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900
    )


def _outputs(first_run: FirstRun) -> dict[str, Any]:
    found = first_run.namespace.cluster.get("trainingrun", "digits", first_run.namespace.name)
    assert found is not None
    outputs: dict[str, Any] = found["status"]["outputs"]
    return outputs


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
