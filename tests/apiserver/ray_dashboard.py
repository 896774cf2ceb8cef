"""The dashboards of all Ray heads, as KubeRay sees them in HTTPMode: the job API, and nothing behind it.

No Ray runs here; a test says how a job ends. One server stands for every head: KubeRay is told that it is a proxy, so
the name of the head's service is in the request's address, and each head has a job table of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_FINAL = ("SUCCEEDED", "FAILED", "STOPPED")


@dataclass
class Job:
    """A submitted job. `entrypoint` and `token` are what KubeRay sent with it."""

    id: str
    namespace: str
    head: str
    entrypoint: str
    token: str
    status: str = "RUNNING"
    message: str = "Job is currently running."
    started: int = field(default_factory=lambda: int(time.time() * 1000))
    ended: int = 0

    def finish(self, status: str = "SUCCEEDED", message: str = "Job finished successfully.") -> None:
        """End as Ray says that it does; a job that has ended stays so."""
        if self.status not in _FINAL:
            self.status, self.message, self.ended = status, message, int(time.time() * 1000)

    def fail(self, exit_code: int, last_words: str) -> None:
        """End as a driver does that exits with this code, in the words of Ray's job supervisor."""
        self.finish(
            "FAILED",
            f"Job entrypoint command failed with exit code {exit_code}, last available logs "
            f"(truncated to 20,000 chars):\n{last_words}",
        )

    def document(self) -> dict[str, Any]:
        """What `GET /api/jobs/{id}` answers."""
        return {
            "submission_id": self.id,
            "entrypoint": self.entrypoint,
            "status": self.status,
            "message": self.message,
            "start_time": self.started,
            "end_time": self.ended,
        }


class RayDashboard:
    """Runs in a thread. `jobs` has every job that was ever submitted, in order."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        # What is done to a running job of a namespace whenever KubeRay asks for it; else it runs until a test ends it.
        self.scripts: dict[str, Callable[[Job], None]] = {}
        # Namespaces whose heads cannot be reached.
        self.unreachable: set[str] = set()
        self._lost: set[int] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.dashboard = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def jobs_in(self, namespace: str) -> list[Job]:
        return [job for job in self.jobs if job.namespace == namespace]

    def lose(self, job: Job) -> None:
        """The head that knew of it is gone: its successor does not know it."""
        self._lost.add(id(job))

    def submit(self, namespace: str, head: str, body: dict[str, Any], token: str) -> Job:
        job = Job(body["submission_id"], namespace, head, body["entrypoint"], token)
        self.jobs.append(job)
        return job

    def find(self, head: str, job_id: str) -> Job | None:
        known = [job for job in self.jobs if (job.head, job.id) == (head, job_id) and id(job) not in self._lost]
        if not known:
            return None
        if known[-1].namespace in self.scripts:
            self.scripts[known[-1].namespace](known[-1])
        return known[-1]


class _Handler(BaseHTTPRequestHandler):
    """A request to a proxy: its target is `http://<service>.<namespace>.svc.<domain>:8265/api/jobs/...`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        job = self._job()
        if job is not None:
            self._send(200, job.document())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._reachable():
            return
        namespace, head, path = self._target()
        if path == ["api", "jobs"]:
            job = self._dashboard.submit(namespace, head, json.loads(body), self.headers.get("x-ray-authorization", ""))
            self._send(200, {"job_id": job.id, "submission_id": job.id})
        elif path[-1] == "stop" and (found := self._job()):
            found.finish("STOPPED", "Job was intentionally stopped.")
            self._send(200, {"stopped": True})

    def _job(self) -> Job | None:
        """The job that is asked for; None when an error was answered."""
        if not self._reachable():
            return None
        _, head, path = self._target()
        job = self._dashboard.find(head, path[2]) if len(path) > 2 else None
        if job is None:
            self._send(404, {"detail": "no such job"})
        return job

    def _reachable(self) -> bool:
        if self._target()[0] not in self._dashboard.unreachable:
            return True
        self._send(503, {"detail": "no route to the head"})
        return False

    def _target(self) -> tuple[str, str, list[str]]:
        """Namespace, head service, and the parts of the path."""
        target = urlsplit(self.path)
        service, namespace = (target.hostname or ".").split(".")[:2]
        return namespace, service, target.path.strip("/").split("/")

    def _send(self, code: int, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @property
    def _dashboard(self) -> RayDashboard:
        dashboard: RayDashboard = self.server.dashboard  # type: ignore[attr-defined]
        return dashboard

    def log_message(self, *arguments: object) -> None:
        """Tests read the jobs instead."""
