"""A pod that is taken away is held until a checkpoint is saved: the hook of its containers, on a real Ray job.

The job runs as on a cluster: started by Ray's job manager on a head with token authentication, with the variables that
the head's pod has. It trains with the documented loop of one's own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from driving import document, folder_of, python_path, write_rows
from ray.job_submission import JobStatus, JobSubmissionClient

from trainingrun.contract.records import AttemptEnded, AttemptStarted, CheckpointSaved, Progress, Record, parse_line
from trainingrun_trainer.drain.processes import RayNode, drivers, ray_nodes, training_workers

pytestmark = pytest.mark.timeout(600)

TOKEN = "a-token-for-this-test"
_CLUSTER = """
import json, sys
from ray.cluster_utils import Cluster
# Any free port for the agent: at its usual one, which is fixed, another cluster of this machine may listen.
store = {"object_store_memory": 128 << 20, "dashboard_agent_listen_port": 0}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": True, **store})
cluster.add_node(num_cpus=1, labels={"ray-subcluster": "data"}, node_name="data-0", **store)
for name in ("trainer-0", "trainer-1"):
    cluster.add_node(num_cpus=1, labels={"trainingrun.dev/group": "trainer"}, node_name=name, **store)
print(json.dumps([cluster.address, cluster.webui_url]), flush=True)
sys.stdin.read()
cluster.shutdown()
"""


class Pods:
    """A cluster whose nodes stand for a run's pods. `environment` is what their containers have in common."""

    def __init__(self, place: Path, address: str, dashboard: str, environment: dict[str, str]):
        self.run_file = place / "run.yaml"
        self.place = place
        self.nodes = [node for node in ray_nodes() if node.gcs_address == address]
        self.jobs = JobSubmissionClient(f"http://{dashboard}", headers={"Authorization": f"Bearer {TOKEN}"})
        self._environment = environment

    def submit(self, trainers: int) -> str:
        """Start an attempt at the run, as KubeRay does in HTTP mode."""
        loop = {"function": "documented_loop:loop", "parameters": {"lr": 0.01}}
        recipe = {"loop": loop, "epochs": 1000, "globalBatchSize": 64}
        trainer = {"numNodes": trainers, "resourcesPerNode": {"limits": {"cpu": 1, "memory": "1Gi"}}}
        run = document(self.place / "rows", self.place / "storage", recipe, trainer=trainer)
        self.folder = folder_of(run)
        self.run_file.write_text(yaml.safe_dump(run))
        return self.jobs.submit_job(entrypoint=f"{sys.executable} -m trainingrun_trainer")

    def hook(self, node: RayNode) -> subprocess.Popen[str]:
        """The preStop hook in the container of `node`."""
        command = [sys.executable, "-m", "trainingrun_trainer.drain", "--node", node.node_id]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE, text=True)

    def records(self) -> list[Record]:
        logs = sorted((self.folder / "progress").glob("attempt-*.jsonl"))
        return [record for log in logs for line in log.read_text().splitlines() if (record := parse_line(line))]

    def wait_for_steps(self, job: str, attempt: int) -> None:
        deadline = time.monotonic() + 300
        while not any(isinstance(r, Progress) and r.attempt == attempt and r.step > 2 for r in self.records()):
            assert not self.jobs.get_job_status(job).is_terminal(), self.jobs.get_job_logs(job)
            assert time.monotonic() < deadline, self.jobs.get_job_logs(job)
            time.sleep(0.2)

    def end_of(self, job: str) -> tuple[int, AttemptEnded]:
        """The exit code of a job that has failed, and the driver's last word, both as the operator reads them."""
        deadline = time.monotonic() + 60
        while not self.jobs.get_job_status(job).is_terminal():
            assert time.monotonic() < deadline, self.jobs.get_job_logs(job)
            time.sleep(0.2)
        info = self.jobs.get_job_info(job)
        assert info.status == JobStatus.FAILED and info.message
        code = re.search(r"failed with exit code (\d+)", info.message)
        ends = [r for line in info.message.splitlines() if isinstance(r := parse_line(line), AttemptEnded)]
        assert code and len(ends) == 1, info.message
        assert info.message.rstrip().endswith(ends[0].to_json()), "something was printed after the last word"
        return int(code[1]), ends[0]


@pytest.fixture(scope="module")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    place = tmp_path_factory.mktemp("pods")
    (place / "documented_loop.py").write_text(documented_loop())
    write_rows(place / "rows", [1000, 7, 993], classes=10)
    environment = {
        **os.environ,
        "PYTHONPATH": python_path(place),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",
        "TRAININGRUN_CONFIG": str(place / "run.yaml"),
        "TRAININGRUN_DRAIN_SECONDS": "60",
        "TRAININGRUN_JSON": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdin and process.stdout
    address, dashboard = json.loads(process.stdout.readline())
    yield Pods(place, address, dashboard, environment)
    process.stdin.close()
    process.wait(60)


def documented_loop() -> str:
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if "def loop(session" in block]
    return block


def saved_after(records: list[Record], moment: float) -> list[CheckpointSaved]:
    return [record for record in records if isinstance(record, CheckpointSaved) and record.time > moment]


def test_a_trainers_pod_that_goes_has_a_checkpoint_saved(pods: Pods) -> None:
    job = pods.submit(trainers=2)
    pods.wait_for_steps(job, attempt=0)
    trainers = [node for node in pods.nodes if training_workers(node)]
    assert len(trainers) == 2
    began = time.time()
    hook = pods.hook(trainers[1])
    said, _ = hook.communicate(timeout=60)

    assert hook.returncode == 0
    assert re.fullmatch(
        rf"drain: told Ray that node {trainers[1].node_id} is going away; process \d+ ended after \d+ s\n", said
    )
    assert not training_workers(trainers[1])
    code, last = pods.end_of(job)
    assert (code, last.exit_code, last.outcome) == (11, 11, "Preempted")
    assert saved_after(pods.records(), began)[-1].time - began < 20
    assert any("nodes being preempted: trainer-" in getattr(r, "message", "") for r in pods.records())


def test_the_heads_pod_that_goes_waits_for_the_driver(pods: Pods) -> None:
    """The run continues on the trainer that is left; then the head goes, and Ray's job manager sends SIGTERM too."""
    job = pods.submit(trainers=1)
    pods.wait_for_steps(job, attempt=1)
    before = [record for record in pods.records() if isinstance(record, CheckpointSaved)][-1]
    (started,) = [r for r in pods.records() if isinstance(r, AttemptStarted) and r.attempt == 1]
    assert started.resumed_from
    (head,) = [node for node in pods.nodes if node.is_head]
    (driver,) = drivers(head)
    assert "trainingrun_trainer" in driver.arguments, "a shell would end at once"
    driver.send(signal.SIGTERM)
    began = time.time()
    hook = pods.hook(head)
    said, _ = hook.communicate(timeout=60)

    assert hook.returncode == 0
    assert re.fullmatch(rf"drain: asked driver {driver.pid} to stop; process {driver.pid} ended after \d+ s\n", said)
    code, last = pods.end_of(job)
    assert (code, last.outcome) == (11, "Preempted")
    assert saved_after(pods.records(), began)[-1].step > before.step


def test_ray_train_tells_its_state_where_the_environment_asks_for_it(pods: Pods) -> None:
    answer: Any = pods.jobs._do_request("GET", "/api/train/v2/runs/v1")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["train_runs"]) >= 1
