"""The Python client: what it sends and gives back, in scripts and in notebooks, and its documented snippets."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas
import pytest
import yaml
from api_double import ApiDouble, Fault, forbidden
from cluster_objects import attempt, run
from log_objects import dashboard, live_run

import trainingrun
from trainingrun import (
    Client,
    ClusterError,
    Dataset,
    Function,
    InvalidSpec,
    Metric,
    Recipe,
    Resources,
    Run,
    RunFailed,
    Source,
    Storage,
    Trainer,
    Transform,
)
from trainingrun.client import session
from trainingrun.contract.records import EpochEnded, Stall

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "python.md"
IMAGE = "trainer:1"


def made(name: str = "mnist", **more: Any) -> Run:
    recipe = Recipe(dataset=Dataset(train=Source(format="CSV", path="s3://a/b"), input_columns=["x"]), epochs=2)
    return Run(name, **{"image": IMAGE, "recipe": recipe, "storage": Storage(uri="s3://a/runs"), **more})


@pytest.fixture
def client(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(session, "_PAUSE_SECONDS", 0.01)
    return Client()


def test_a_run_is_the_document_that_a_file_would_have(tmp_path: Path) -> None:
    model = Function("mine:Net", hidden=3)
    recipe = Recipe(
        dataset=Dataset(train=Source(format="CSV", path="s3://a/b"), input_columns=["x"]),
        model=model,
        metrics=[Metric("mine:accuracy", name="right")],
        transforms=[Transform("mine:scale", kind="Batch", parameters={"by": 2})],
        early_stopping=None,
    )
    trainer = Trainer(num_nodes=2, resources_per_node=Resources(limits={"nvidia.com/gpu": 1}))
    built = made(recipe=recipe, trainer=trainer, env={"A": "b"}, labels={"team": "x"}, backoff_limit=5)
    assert built.document["spec"]["backoffLimit"] == 5
    assert built.document["spec"]["env"] == [{"name": "A", "value": "b"}]
    assert built.document["spec"]["recipe"]["model"] == {"function": "mine:Net", "parameters": {"hidden": 3}}
    assert built.document["spec"]["trainer"]["numNodes"] == 2
    (tmp_path / "run.yaml").write_text(built.to_yaml())
    again = Run.from_file(tmp_path / "run.yaml")
    assert (again.document, again.name) == (built.document, "mnist")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Source(format="Parque", path="a"), 'spec.recipe.dataset.train.format: found "Parque", allowed: Par'),
        (lambda: Trainer(num_nodes="two"), 'spec.trainer.numNodes: found "two", allowed: a whole number from 1'),
        (lambda: Trainer(num_node=2), "spec.trainer.num_node: found an unknown field, allowed: numNodes (the closest"),
        (lambda: made("My Run"), 'metadata.name: found "My Run", allowed:'),
        (lambda: made(backof_limit=2), "spec.backof_limit: found an unknown field, allowed: backoffLimit (the closest"),
        (lambda: made(recipe=None), "spec: found neither recipe nor trainer.command"),
    ],
)
def test_a_mistake_is_told_as_in_a_file(make: Any, problem: str) -> None:
    with pytest.raises(InvalidSpec) as told:
        make()
    assert str(told.value).startswith(problem)


def test_a_file_of_several_runs_is_none() -> None:
    with pytest.raises(ValueError, match="has 3 runs, allowed: one"):
        Run.from_file(ROOT / "manifests/samples/full.yaml")


def test_a_run_is_sent_as_the_command_sends_it(client: Client, double: ApiDouble) -> None:
    there = client.submit(made())
    (request,) = double.named("PATCH")
    assert request.query == {"fieldManager": "trainingrun-cli", "fieldValidation": "Strict", "force": "false"}
    assert request.body["spec"]["recipe"]["epochs"] == 2
    assert repr(there) == "RemoteRun(training/mnist)"
    assert [found.name for found in client.list()] == ["mnist"]
    client.submit(ROOT / "manifests/samples/minimal.yaml", dry_run=True)
    assert double.named("PATCH")[-1].query["dryRun"] == "All"


def test_a_run_may_leave_out_what_its_runtime_gives(client: Client, double: ApiDouble, tmp_path: Path) -> None:
    built = made(image=None, storage=None, runtime_ref={"name": "gpu"})
    (tmp_path / "run.yaml").write_text(built.to_yaml())
    client.submit(tmp_path / "run.yaml")
    assert double.named("PATCH")[-1].body["spec"] == built.document["spec"]
    assert built.document["spec"]["runtimeRef"] == {"name": "gpu"} and "image" not in built.document["spec"]
    with pytest.raises(InvalidSpec, match="image: found nothing"):
        made(image=None)


def test_status_is_read_anew_and_changes_are_written(client: Client, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist", "Starting"))
    there = client.get("mnist")
    double.put("trainingruns", run("mnist", "Running", trainerStatus={"progressPercentage": 40}))
    assert (there.status.state, there.status.percent) == ("Running", 40)
    there.suspend().resume()
    assert [request.body["spec"] for request in double.named("PATCH")] == [{"suspend": True}, {"suspend": False}]
    there.delete(wait=True)
    with pytest.raises(ClusterError, match="There is no TrainingRun mnist in namespace training"):
        client.get("mnist")


def test_a_wait_gives_the_end_or_raises_what_became_of_it(client: Client, double: ApiDouble) -> None:
    double.put("trainingruns", run("mnist"))
    there = client.get("mnist")
    with pytest.raises(TimeoutError):
        there.wait(timeout=0.05)
    double.put("trainingruns", run("mnist", "Complete", "Complete"))
    assert there.wait().state == "Complete"
    double.put("trainingruns", run("mnist", "Failed", "Failed", Failed_reason="OutOfMemory"))
    with pytest.raises(RunFailed, match=r"mnist Failed \(OutOfMemory\)") as failed:
        there.wait()
    assert failed.value.code == 13
    with pytest.raises(RunFailed) as followed:
        there.follow()
    assert followed.value.code == 13


def test_what_a_cluster_refuses_is_one_sentence(client: Client, double: ApiDouble) -> None:
    double.faults = [Fault("GET", "trainingruns", 403, forbidden("list", "trainingruns"))]
    with pytest.raises(ClusterError, match="You may not list trainingruns"):
        client.list()
    with pytest.raises(ClusterError, match="cannot be reached"):
        Client(context="nowhere").list()
    with pytest.raises(ClusterError, match=r"no kubeconfig at /absent. Choose a cluster: Client\(context="):
        Client(kubeconfig="/absent").list()


def test_a_loop_that_runs_already_is_not_in_the_way(client: Client, double: ApiDouble) -> None:
    """As in a notebook, whose cells run in a loop."""
    double.put("trainingruns", run("mnist"))

    async def cell() -> str:
        return client.get("mnist").status.state

    assert asyncio.run(cell()) == "Running"


def test_logs_and_metrics_come_from_the_attempt(client: Client, double: ApiDouble) -> None:
    live_run(double)
    stall = Stall(total_percent=5.0, steady_percent=4.0)
    common = {"time": 1.0, "attempt": 1, "epochs": 2, "rows": 100, "seconds": 2.0, "stall": stall}
    lines = [
        EpochEnded(epoch=number, step=10 * number + 10, metrics={"loss": loss}, **common).to_json()
        for number, loss in enumerate((0.5, 0.25))
    ]
    double.dashboard = dashboard("training begins", *lines)
    there = client.get("mnist")
    assert there.logs(["driver", "head"], tail=1).splitlines()[-1] == "head/x7k2p | head of attempt 1"
    table = there.metrics()
    assert isinstance(table, pandas.DataFrame)
    assert table[["attempt", "epoch", "step", "stall_percent", "loss"]].to_dict("records") == [
        {"attempt": 1, "epoch": 1, "step": 10, "stall_percent": 5.0, "loss": 0.5},
        {"attempt": 1, "epoch": 2, "step": 20, "stall_percent": 5.0, "loss": 0.25},
    ]
    with pytest.raises(ClusterError, match="mnist has no attempt 7"):
        there.metrics(attempt=7)


def test_without_pandas_metrics_are_rows(client: Client, double: ApiDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    live_run(double)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert client.get("mnist").metrics() == []


def test_a_run_is_trained_here_by_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys) -> None:
    from trainingrun.client import run as module

    monkeypatch.chdir(tmp_path)
    seen: list[Any] = []

    class Local:
        def __init__(self, command: list[str], env: dict[str, str], **_: Any):
            seen.append((command, yaml.safe_load(Path(command[5]).read_text()), env["PYTHONPATH"].split(":")[0]))
            self.stdout = iter(["epoch 1\n"])
            self.returncode = 13 if "--trainers" in command else 0

        def __enter__(self) -> Local:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(module.subprocess, "Popen", Local)
    built = made()
    built.local()
    assert capsys.readouterr().out == "epoch 1\n"
    command, document, path = seen[0]
    assert command[:5] == [sys.executable, "-m", "trainingrun", "local", "-f"]
    assert (document, path) == (built.document, str(tmp_path))
    with pytest.raises(RunFailed) as failed:
        built.local("--trainers", "2")
    assert failed.value.code == 13


def test_the_package_offers_all_that_it_names_and_imports_none_of_it() -> None:
    assert all(getattr(trainingrun, name) for name in trainingrun.__all__)
    with pytest.raises(AttributeError):
        trainingrun.Nothing  # noqa: B018
    code = "import sys, trainingrun; print({'trainingrun.client', 'trainingrun.spec', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_the_documented_snippets_run(client: Client, double: ApiDouble, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run("flowers", "Complete", "Complete", attempts=[attempt(1)])
    ended["metadata"]["uid"] = "uid-of-mnist"
    live_run(double)
    double.before = lambda request: double.put("trainingruns", ended) if "watch" in request.query else None
    names: dict[str, Any] = {}
    first, *others = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    exec(first, names)  # noqa: S102
    assert yaml.safe_load(capsys.readouterr().out) == names["run"].document
    double.put("trainingruns", {**ended, "spec": names["run"].document["spec"]})
    for snippet in others:
        exec(snippet, names)  # noqa: S102
    assert names["flowers"].status.state == "Complete"
